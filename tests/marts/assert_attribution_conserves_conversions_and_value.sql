-- Per attribution model, scope and conversion type each table's credited conversions, revenue and
-- CLV are those of the conversions; in a scope channel:<name>, which the credits do not have, of
-- the conversions that the channel touched. A model that a table lacks altogether is a difference
-- too.
{%- set sums = {
    'attribution_credits': ['credit', 'credited_revenue', 'credited_clv'],
    'attribution_by_channel': ['conversions', 'revenue', 'clv'],
    'attribution_by_campaign': ['conversions', 'revenue', 'clv'],
    'attribution_by_tactic': ['conversions', 'revenue', 'clv'],
    'attribution_by_content': ['conversions', 'revenue', 'clv'],
} %}
with actual as (
    {%- for table, columns in sums.items() %}
    select
        attribution_model,
        attribution_scope,
        conversion_type,
        '{{ table }}' as table_name,
        sum({{ columns[0] }}) as conversions,
        sum({{ columns[1] }}) as revenue,
        sum({{ columns[2] }}) as clv
    from {{ ref(table) }}
    group by attribution_model, attribution_scope, conversion_type
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

conversions as (
    select
        conversion_type,
        count(*) as conversions,
        cast(sum(revenue) as double) as revenue,
        cast(sum(clv) as double) as clv
    from {{ ref('int_attribution__conversions') }}
    group by conversion_type
),

touched_conversions as (
    select distinct
        conversions.conversion_id,
        'channel:' || touchpoints.channel as attribution_scope
    from {{ ref('int_attribution__conversions') }} as conversions
    inner join {{ ref('int_journeys__touchpoints') }} as journeys_touchpoints
        on conversions.conversion_id = journeys_touchpoints.conversion_id
    inner join {{ ref('int_touchpoints__collapsed') }} as touchpoints
        on journeys_touchpoints.touchpoint_id = touchpoints.touchpoint_id
),

conversions_of_scopes as (
    {%- for scope in ['all', 'personalized'] %}
    select
        *,
        '{{ scope }}' as attribution_scope
    from conversions
    union all
    {%- endfor %}
    select
        conversions.conversion_type,
        count(*) as conversions,
        cast(sum(conversions.revenue) as double) as revenue,
        cast(sum(conversions.clv) as double) as clv,
        touched_conversions.attribution_scope
    from touched_conversions
    inner join {{ ref('int_attribution__conversions') }} as conversions
        on touched_conversions.conversion_id = conversions.conversion_id
    group by touched_conversions.attribution_scope, conversions.conversion_type
),

expected as (
    {%- for table in sums %}
    {%- set last_table = loop.last %}
    {%- for model in attribution_models() %}
    select
        *,
        '{{ table }}' as table_name,
        '{{ model }}' as attribution_model
    from conversions_of_scopes
    {%- if table == 'attribution_credits' %}
    where attribution_scope in ('all', 'personalized')
    {%- endif %}
    {%- if not (last_table and loop.last) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
),

compared as (
    select
        coalesce(expected.table_name, actual.table_name) as table_name,
        coalesce(expected.attribution_model, actual.attribution_model) as attribution_model,
        coalesce(expected.attribution_scope, actual.attribution_scope) as attribution_scope,
        coalesce(expected.conversion_type, actual.conversion_type) as conversion_type,
        abs(actual.conversions - expected.conversions) as conversions_error,
        abs(actual.revenue - expected.revenue) as revenue_error,
        abs(actual.clv - expected.clv) as clv_error,
        1e-9 * greatest(expected.conversions, 1) as conversions_allowed,
        1e-9 * greatest(abs(expected.revenue), 1) as revenue_allowed,
        1e-9 * greatest(abs(expected.clv), 1) as clv_allowed
    from expected
    full outer join actual
        on
            expected.table_name = actual.table_name
            and expected.attribution_model = actual.attribution_model
            and expected.attribution_scope = actual.attribution_scope
            and expected.conversion_type = actual.conversion_type
)

-- A side that is missing makes the comparison null, which is no pass.
select * from compared
where
    not coalesce(conversions_error <= conversions_allowed, false)
    or not coalesce(revenue_error <= revenue_allowed, false)
    or not coalesce(clv_error <= clv_allowed, false)
