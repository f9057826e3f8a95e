-- One row per person of a sample, without who it is: a place on the map of the last training, near
-- where people are alike.
with trained as (
    select * from {{ source('ml', 'cluster_map') }}
),

latest as (
    select max(trained_as_of) as trained_as_of
    from trained
),

final as (
    select
        row_number() over (order by trained.user_key) as place_number,
        trained.segment,
        trained.x as map_x,
        trained.y as map_y,
        trained.trained_as_of
    from trained
    inner join latest
        on trained.trained_as_of = latest.trained_as_of
)

select * from final
