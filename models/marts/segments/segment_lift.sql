-- One row per segment family, of the last training: which segmentation tells of conversion.
with trained as (
    select * from {{ source('ml', 'segment_lift') }}
),

latest as (
    select max(trained_as_of) as trained_as_of
    from trained
),

final as (
    select
        trained.segment_family,
        trained.people,
        trained.log_loss_without,
        trained.log_loss_with,
        trained.lift,
        trained.ci_low,
        trained.ci_high,
        trained.lift_rank,
        trained.trained_as_of
    from trained
    inner join latest
        on trained.trained_as_of = latest.trained_as_of
)

select * from final
