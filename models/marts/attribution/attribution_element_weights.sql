-- One row per version x attribution model x scope x conversion type x element: what a data-driven
-- model learned.
with fitted as (
    select * from {{ source('ml', 'attribution_element_weights') }}
),

-- The spread of markov_1 over its bootstrap replicates.
spread as (
    select
        version,
        attribution_model,
        attribution_scope,
        conversion_type,
        element,
        stddev_samp(weight) as weight_error
    from fitted
    where replicate > 0
    group by version, attribution_model, attribution_scope, conversion_type, element
),

final as (
    select
        ---------- keys
        fitted.version,
        fitted.attribution_model,
        fitted.attribution_scope,
        fitted.conversion_type,
        fitted.element,
        ---------- text
        fitted.remark,
        ---------- numbers
        fitted.markov_order,
        fitted.weight,
        spread.weight_error,
        fitted.share,
        fitted.residual,
        fitted.touches_count,
        fitted.journeys_count,
        fitted.conversions_count,
        ---------- booleans
        fitted.is_grouped,
        fitted.version = max(fitted.version) over () as is_current,
        ---------- times
        fitted.valid_from
    from fitted
    left join spread
        on
            fitted.version = spread.version
            and fitted.attribution_model = spread.attribution_model
            and fitted.attribution_scope = spread.attribution_scope
            and fitted.conversion_type = spread.conversion_type
            and fitted.element = spread.element
    where fitted.replicate = 0
)

select * from final
