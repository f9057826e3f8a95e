{#- Fails with each combination of columns that occurs more than once, or that is wholly null. -#}
{% test unique_combination(model, columns) %}

select
    {{ columns | join(',\n    ') }},
    count(*) as occurrences
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    or coalesce(
        {%- for column in columns %}
        cast({{ column }} as varchar){{ ',' if not loop.last }}
        {%- endfor %}
    ) is null

{% endtest %}
