-- One row per attribution model x scope x conversion type x day of the conversion x content.
{{ attribution_totals('content_id') }}
