{#-
  An amount in the reporting currency: unchanged where it is in it already (no currency counts as that), else by the rate of
  its day; null where no rate is known.

  Args:
    amount: expression of the amount, decimal(18, 4).
    currency: expression of its ISO 4217 code.
    rates: alias of the join to int_conversions__exchange_rates on currency and day.
-#}
{% macro in_reporting_currency(amount, currency, rates) -%}
    case
        when coalesce({{ currency }}, '{{ var("reporting_currency") }}') = '{{ var("reporting_currency") }}' then {{ amount }}
        else cast(cast({{ amount }} as double) * cast({{ rates }}.factor as double) as decimal(18, 4))
    end
{%- endmacro %}
