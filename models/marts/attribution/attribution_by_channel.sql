-- One row per attribution model x scope x conversion type x day of the conversion x channel.
{{ attribution_totals('channel') }}
