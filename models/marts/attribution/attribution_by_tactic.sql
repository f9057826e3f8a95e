-- One row per attribution model x scope x conversion type x day of the conversion x tactic.
{{ attribution_totals('tactic') }}
