{#- Parts of a URL, as texts that are empty where there is none: what would make them null would have them taken out twice. -#}

{#- The host of a URL, lower case. -#}
{% macro url_host(url) -%}
    lower(split_part(split_part(split_part(split_part({{ url }}, '://', 2), '/', 1), '?', 1), ':', 1))
{%- endmacro %}


{#- A parameter of a URL's query string, with its escapes. -#}
{% macro url_parameter(url, name) -%}
    regexp_extract({{ url }}, '[?&]{{ name }}=([^&#]*)', 1)
{%- endmacro %}


{#- The name of the first click id in a URL's query string, in any case. -#}
{% macro url_click_id(url) -%}
    case
        when {{ url }} like '%?%'
            then regexp_extract({{ url }}, '(?i)[?&]({{ click_ids() | join('|') }})=[^&#]', 1)
    end
{%- endmacro %}
