{#-
  Transforms of a path. A path is a list of elements in order, so that no character in a name can break it; a null path stays null.
  Each macro takes SQL expressions and gives one; they can be put into one another.
-#}

{#- The path as it was walked: an aggregate over the touchpoints of a journey. -#}
{% macro path_exposed(element, touch_number) -%}
    {{ ordered_list(element, touch_number) }}
{%- endmacro %}


{#- Equal consecutive elements become one: a a b a -> a b a. -#}
{% macro path_collapsed(path) -%}
    {{ return(adapter.dispatch('path_collapsed')(path)) }}
{%- endmacro %}

{% macro default__path_collapsed(path) -%}
    list_filter(
        {{ path }},
        lambda element, place:
        place = 1 or element is distinct from ({{ path }})[place - 1]
    )
{%- endmacro %}


{#- Each element once, in order of its first occurrence: b a b -> b a. -#}
{% macro path_first_occurrences(path) -%}
    {{ return(adapter.dispatch('path_first_occurrences')(path)) }}
{%- endmacro %}

{% macro default__path_first_occurrences(path) -%}
    list_filter(
        {{ path }},
        lambda element, place: list_position({{ path }}, element) = place
    )
{%- endmacro %}


{#- Each element once, in the order of the alphabet: the set of elements, whatever their order. b a b -> a b. -#}
{% macro path_unique(path) -%}
    {{ return(adapter.dispatch('path_unique')(path)) }}
{%- endmacro %}

{% macro default__path_unique(path) -%}
    list_sort(list_distinct({{ path }}))
{%- endmacro %}


{#- Without an element, unless it is alone: direct a direct -> a, but direct direct stays. -#}
{% macro path_without_unless_alone(path, element) -%}
    {{ return(adapter.dispatch('path_without_unless_alone')(path, element)) }}
{%- endmacro %}

{% macro default__path_without_unless_alone(path, element) -%}
    case
        when len(list_filter({{ path }}, lambda other: other is distinct from {{ element }})) > 0
            then list_filter({{ path }}, lambda other: other is distinct from {{ element }})
        else {{ path }}
    end
{%- endmacro %}


{#- Without an element where it ends the path, unless it is alone: direct a direct direct -> direct a. -#}
{% macro path_without_trailing(path, element) -%}
    {{ return(adapter.dispatch('path_without_trailing')(path, element)) }}
{%- endmacro %}

{% macro default__path_without_trailing(path, element) -%}
    case
        when len(list_filter({{ path }}, lambda other: other is distinct from {{ element }})) > 0
            then list_slice({{ path }}, 1, list_max(list_transform(
                {{ path }},
                lambda other, place: case when other is distinct from {{ element }} then place else 0 end
            )))
        else {{ path }}
    end
{%- endmacro %}
