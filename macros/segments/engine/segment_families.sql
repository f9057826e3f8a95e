{#-
  The engine of the segment families. A family is one file macros/segments/families/<name>.sql; it is found by its macros' names:

  segment_family__<name>()      required: one SQL expression, the segment of a feature row (alias `features`), null where
                                the family cannot tell; the engine turns null into 'unclassified'.
  segment_catalog__<name>()     required: {'kind': 'rule' | 'cluster' | 'predictive', 'segments': {segment: description}};
                                the key '*' describes segments whose names come from the data; 'is_of_moment': true for
                                a family that tells of the moment and not of the person, who then has no membership.
  segment_versions__<name>()    optional: a relation of fitted inputs, one row per version with version and valid_from; the
                                version that was valid at the row's moment is joined with the family's name as alias.
  segment_scores__<name>()      optional: a relation of scores, with segment_family, user_key, segment and valid_from; the person's last
                                one at or before the row's moment is joined with the family's name as alias.
  segment_boundaries__<name>()  optional: [{'since': 'last_order_at' | 'first_seen_at', 'days': whole days}]: the clock alone
                                changes labels there, so labels are looked at then.
-#}

{#- Names of all families, in the order of the alphabet. -#}
{% macro segment_families() -%}
    {%- set families = [] -%}
    {%- for name in context.keys() if name.startswith('segment_family__') -%}
        {%- do families.append(name | replace('segment_family__', '')) -%}
    {%- endfor -%}
    {{ return(families | sort) }}
{%- endmacro %}


{#- What a family says of itself, or none where it says nothing and need not. Args: part (family, catalog, versions, scores, boundaries), family. -#}
{% macro segment_family_part(part, family) -%}
    {%- set name = 'segment_' ~ part ~ '__' ~ family -%}
    {%- if name in context -%}
        {{ return(context[name]()) }}
    {%- elif part in ('family', 'catalog') -%}
        {{ exceptions.raise_compiler_error('segment family ' ~ family ~ ' lacks the macro ' ~ name ~ '() in macros/segments/families/' ~ family ~ '.sql') }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}


{#- Families that people have memberships in: those that tell of the person, not of the moment. -#}
{% macro membership_families() -%}
    {%- set families = [] -%}
    {%- for family in segment_families() if not segment_family_part('catalog', family).get('is_of_moment', false) -%}
        {%- do families.append(family) -%}
    {%- endfor -%}
    {{ return(families) }}
{%- endmacro %}


{#- Families that read fitted inputs by version. -#}
{% macro versioned_segment_families() -%}
    {%- set families = [] -%}
    {%- for family in segment_families() if segment_family_part('versions', family) is not none -%}
        {%- do families.append(family) -%}
    {%- endfor -%}
    {{ return(families) }}
{%- endmacro %}


{#- Families that read the scores of people. -#}
{% macro scored_segment_families() -%}
    {%- set families = [] -%}
    {%- for family in segment_families() if segment_family_part('scores', family) is not none -%}
        {%- do families.append(family) -%}
    {%- endfor -%}
    {{ return(families) }}
{%- endmacro %}


{#-
  The moments at which the clock alone changes a label: [{'since': column, 'days': days}], each once.
  A number of days after a family's column, the label is another although nothing happened.
-#}
{% macro segment_boundaries() -%}
    {%- set boundaries = [] -%}
    {%- for family in segment_families() -%}
        {%- for boundary in segment_family_part('boundaries', family) or [] -%}
            {%- if boundary not in boundaries -%}
                {%- do boundaries.append(boundary) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(boundaries) }}
{%- endmacro %}


{#- The columns segment_<family> of all families, as a list of names. -#}
{% macro segment_columns() -%}
    {%- set columns = [] -%}
    {%- for family in segment_families() -%}
        {%- do columns.append('segment_' ~ family) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
