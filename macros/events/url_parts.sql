{#- The host of a URL, lower case; null where there is none. -#}
{% macro url_host(url) -%}
    nullif(
        lower(split_part(split_part(split_part(split_part({{ url }}, '://', 2), '/', 1), '?', 1), ':', 1)),
        ''
    )
{%- endmacro %}


{#- The site of a URL: its host without www. -#}
{% macro url_site(url) -%}
    {%- set host = url_host(url) -%}
    (case when {{ host }} like 'www.%' then substr({{ host }}, 5) else {{ host }} end)
{%- endmacro %}


{#- A parameter of a URL's query string, decoded; null where there is none. -#}
{% macro url_parameter(url, name) -%}
    case
        when {{ url }} like '%{{ name }}=%'
            then nullif({{ url_decoded("regexp_extract(" ~ url ~ ", '[?&]" ~ name ~ "=([^&#]*)', 1)") }}, '')
    end
{%- endmacro %}


{#- The name of the first click id in a URL's query string; null where there is none. -#}
{% macro url_click_id(url) -%}
    case
        when {{ url }} like '%?%'
            then nullif(lower(regexp_extract({{ url }}, '(?i)[?&]({{ click_ids() | join('|') }})=[^&#]', 1)), '')
    end
{%- endmacro %}
