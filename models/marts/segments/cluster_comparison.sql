-- One row per method of clustering, of the last training.
with trained as (
    select * from {{ source('ml', 'cluster_comparison') }}
),

latest as (
    select max(trained_as_of) as trained_as_of
    from trained
),

final as (
    select
        trained.method,
        trained.k,
        trained.silhouette,
        trained.stability,
        trained.responsiveness,
        trained.inertia,
        trained.people,
        trained.smallest,
        trained.is_published,
        trained.trained_as_of
    from trained
    inner join latest
        on trained.trained_as_of = latest.trained_as_of
)

select * from final
