{#-
  Whether consent to a purpose was given at a moment: not where it was withdrawn for the past too; else as the event itself says; else as the
  person's record at that moment says (a row of int_consents__periods, or none); else as var consent_default_unknown says.

  Args:
    own: what the event says, a boolean.
    periods: alias of the joined row of int_consents__periods; its columns are null where there is none.
-#}
{% macro consent_given(own, periods) -%}
    case
            when {{ periods }}.is_revoked then false
            else coalesce({{ own }}, {{ periods }}.is_given, {{ var('consent_default_unknown') == 'granted' }})
        end
{%- endmacro %}


{#- The purposes of consent. -#}
{% macro consent_purposes() -%}
    {{ return(['analytics', 'personalization', 'advertising', 'psychographic']) }}
{%- endmacro %}


{#- The join of the period of a purpose that holds at a moment. Args: purpose, alias, SQL of the person and of the moment. -#}
{% macro join_consent(purpose, alias, user_key, moment) -%}
    left join {{ ref('int_consents__periods') }} as {{ alias }}
        on
            {{ alias }}.user_key = {{ user_key }}
            and {{ alias }}.purpose = '{{ purpose }}'
            and {{ moment }} >= {{ alias }}.valid_from
            and {{ moment }} < {{ alias }}.valid_to
{%- endmacro %}
