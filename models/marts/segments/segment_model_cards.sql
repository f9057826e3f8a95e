-- One row per predictive family x version of its model: what it learned from, and how good it was.
with models as (
    select * from {{ source('ml', 'segment_models') }}
),

champions as (
    select
        segment_family,
        max(version) as last_version
    from models
    where is_promoted
    group by segment_family
),

final as (
    select
        ---------- keys
        models.segment_family,
        models.version,
        models.trained_as_of,
        models.trained_at,
        models.algorithm,
        models.settings,
        models.outcome,
        models.outcome_days,
        models.rows_learned,
        models.rows_held_back,
        models.learned_from,
        models.learned_until,
        models.held_back_at,
        models.positive_share,
        models.roc_auc,
        models.baseline_roc_auc,
        models.champion_roc_auc,
        models.f1,
        models.brier,
        models.log_loss,
        models.calibration_error,
        models.importances,
        models.medium_from,
        models.high_from,
        models.library_versions,
        models.is_promoted,
        models.remark,
        ---------- booleans
        champions.last_version is not null as is_champion,
        champions.last_version is not null
        and models.trained_as_of
        < {{ as_of() }} - {{ days_interval(var('model_stale_after_days')) }}
            as is_stale
    from models
    left join champions
        on
            models.segment_family = champions.segment_family
            and models.version = champions.last_version
)

select * from final
