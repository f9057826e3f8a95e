{#-
  A model followed by its fallback, the fallback's fallback and so on, as each model's yml names them under
  config.meta.fallback (null: none). Read when SQL is compiled; while dbt still parses, yml is not known yet.
-#}
{% macro attribution_fallbacks(model) -%}
    {%- set models = attribution_models() -%}
    {%- set chain = [model] -%}
    {%- for step in models if execute and chain[-1] -%}
        {%- set meta = context['attribution_model__' ~ chain[-1]].macro.config.meta -%}
        {%- if 'fallback' not in meta -%}
            {%- do exceptions.raise_compiler_error(
                "Attribution model '" ~ chain[-1] ~ "' does not say what to do with a journey in which every touchpoint "
                ~ "weighs 0. Add config: {meta: {fallback: <a model, or null>}} to macros/attribution/models/"
                ~ chain[-1] ~ ".yml"
            ) -%}
        {%- endif -%}
        {%- if meta.fallback and meta.fallback not in models -%}
            {%- do exceptions.raise_compiler_error(
                "Attribution model '" ~ chain[-1] ~ "' names the fallback '" ~ meta.fallback
                ~ "', which is no model. Models: " ~ models | join(', ')
            ) -%}
        {%- endif -%}
        {%- if meta.fallback in chain -%}
            {%- do exceptions.raise_compiler_error(
                "The fallbacks of attribution model '" ~ model ~ "' go round in a circle: "
                ~ (chain + [meta.fallback]) | join(' -> ')
            ) -%}
        {%- endif -%}
        {%- do chain.append(meta.fallback) -%}
    {%- endfor -%}
    {{ return(chain | select | list) }}
{%- endmacro %}
