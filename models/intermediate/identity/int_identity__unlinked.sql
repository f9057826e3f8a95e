-- One row per identifier that connects nobody, with the reason.
with final as (
    select
        node,
        reason
    from {{ ref('int_identity__guarded') }}
    union all
    select
        node,
        'shared device' as reason
    from {{ ref('int_identity__shared_devices') }}
)

select * from final
