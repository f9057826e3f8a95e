-- One row per moment at which a person is looked at: the attributes that models learn from.
{{ config(materialized='view') }}
with features as (
    select * from {{ ref('int_features__as_of_moment') }}
),

final as (
    select
        ---------- keys
        user_key,
        moment_type,
        moment_id,
        ---------- numbers
        {%- for name, expression in model_features('features').items() %}
        {{ expression }} as {{ name }},
        {%- endfor %}
        ---------- times
        feature_at
    from features
)

select * from final
