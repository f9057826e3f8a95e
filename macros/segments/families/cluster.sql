{#-
  The nearest of the centres that were fitted on everybody, in the space in which they were (each attribute less its shift, times its
  factor; what is not known is 0). Of equally near ones, the first. Null where the version was fitted on other attributes.
-#}
{% macro segment_family__cluster() -%}
    {%- set attributes = model_features('features') -%}
    {%- set scaled = [] -%}
    {%- for expression in attributes.values() -%}
        {%- do scaled.append('coalesce((' ~ expression ~ ' - cluster.shifts[' ~ loop.index ~ ']) * cluster.factors[' ~ loop.index ~ '], 0e0)') -%}
    {%- endfor -%}
    case
        when cluster.attributes = ['{{ attributes.keys() | join("', '") }}']
            then cluster.names[{{ nearest_center('[' ~ scaled | join(', ') ~ ']', 'cluster.centers') }}]
    end
{%- endmacro %}


{#- The number, from 1, of the nearest of a list of centres. -#}
{% macro nearest_center(point, centers) -%}
    {{ return(adapter.dispatch('nearest_center')(point, centers)) }}
{%- endmacro %}

{#- The point and the distances are given names as lists of one: what a lambda refers to is computed for each of its elements. -#}
{% macro default__nearest_center(point, centers) -%}
    list_transform(
        [{{ point }}],
        lambda point: list_transform(
            [list_transform({{ centers }}, lambda center: list_distance(center, point))],
            lambda distances: list_position(distances, list_min(distances))
        )[1]
    )[1]
{%- endmacro %}


{% macro segment_catalog__cluster() -%}
    {{ return({
        'kind': 'cluster',
        'segments': {'*': 'People who are alike, named by the two attributes in which they differ most from the mean'},
    }) }}
{%- endmacro %}


{% macro segment_versions__cluster() -%}
    {{ return(source('ml', 'cluster_centroids')) }}
{%- endmacro %}
