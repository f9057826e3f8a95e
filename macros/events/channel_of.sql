{#-
  The channel of an origin: that of the first of channel_rules whose patterns all match; an empty pattern matches everything.
  The rules are constants of the query, so that each pattern is compiled once and tried until one rule matches.

  Args:
    columns: the column that each kind of pattern looks at, e.g. {'medium_pattern': 'origin_medium'}.
-#}
{% macro channel_of(columns) -%}
    {%- set rules = seed_rows('channel_rules', 'rule_order') -%}
    {%- if rules -%}
    case
        {%- for rule in rules %}
        when
            true
            {%- for pattern, column in columns.items() if rule[pattern] %}
            and {{ matches("coalesce(" ~ column ~ ", '')", "'" ~ rule[pattern].replace("'", "''") ~ "'") }}
            {%- endfor %}
            then '{{ rule['channel'] }}'
        {%- endfor %}
    end
    {%- else -%}
    cast(null as varchar)
    {%- endif -%}
{%- endmacro %}
