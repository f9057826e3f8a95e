{#- The landed rows of a dataset whose batch was released; a batch that gate_raw holds stays out until it is let go. -#}
{% macro released(dataset) -%}
    select landed.*
    from {{ source('raw', dataset) }} as landed
    inner join {{ source('raw', '_batches') }} as batches
        on landed._batch_id = batches.batch_id
        and batches.status = 'released'
{%- endmacro %}
