-- One row per conversion type that occurs, with how far back its journeys look.
{%- set settings = var('conversion_settings') %}
with definitions as (
    select * from {{ ref('conversion_definitions') }}
),

-- Definitions of one type have the same settings.
type_settings as (
    select
        conversion_type,
        max(journey_boundary) as journey_boundary,
        max(lookback_days) as lookback_days,
        bool_or(is_lead) as is_lead
    from definitions
    group by conversion_type
),

order_types as (
    select conversion_type
    from definitions
    where
        source = 'orders'
        and exists (
            select 1 from {{ ref('stg_landing__orders') }} as orders
            where orders.ordered_at < {{ as_of() }}
        )
),

event_types as (
    select distinct conversion_type from {{ ref('int_conversions__told') }}
),

offline_types as (
    select distinct lower(trim(conversion_type)) as conversion_type
    from {{ ref('stg_landing__offline_conversions') }}
    where converted_at < {{ as_of() }}
),

types as (
    select conversion_type from order_types
    union
    select conversion_type from event_types
    union
    select conversion_type from offline_types
),

final as (
    select
        types.conversion_type,
        coalesce(
            {%- for conversion_type, setting in settings.items() if 'journey_boundary' in setting %}
            case
                when types.conversion_type = '{{ conversion_type }}'
                    then '{{ setting.journey_boundary }}'
            end,
            {%- endfor %}
            type_settings.journey_boundary,
            '{{ var("default_journey_boundary") }}'
        ) as journey_boundary,
        cast(coalesce(
            {%- for conversion_type, setting in settings.items() if 'lookback_days' in setting %}
            case
                when types.conversion_type = '{{ conversion_type }}'
                    then {{ setting.lookback_days }}
            end,
            {%- endfor %}
            type_settings.lookback_days,
            {{ var('default_lookback_days') }}
        ) as integer) as lookback_days,
        coalesce(type_settings.is_lead, false) as is_lead
    from types
    left join type_settings
        on types.conversion_type = type_settings.conversion_type
)

select * from final
