-- One row per outcome x attribute x test, of the last training.
with trained as (
    select * from {{ source('ml', 'attribute_importance') }}
),

latest as (
    select max(trained_as_of) as trained_as_of
    from trained
),

final as (
    select
        trained.outcome,
        trained.attribute,
        trained.test,
        trained.redundant_with as is_redundant_with,
        trained.statistic,
        trained.p_value,
        trained.importance,
        trained.trained_as_of
    from trained
    inner join latest
        on trained.trained_as_of = latest.trained_as_of
)

select * from final
