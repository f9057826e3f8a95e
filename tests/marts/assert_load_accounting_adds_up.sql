-- Every row of a file is loaded, held or quarantined, and what is odd is a part of what is loaded.
select
    path,
    rows_in_file,
    rows_loaded,
    rows_held,
    rows_quarantined
from {{ ref('load_accounting') }}
where
    rows_in_file <> rows_loaded + rows_held + rows_quarantined
    or duplicate_rows not between 0 and rows_loaded
    or excluded_rows > rows_loaded - duplicate_rows
    or excluded_rows <> not_yet_rows + no_consent_rows + bot_rows + internal_rows
    or greatest(late_rows, out_of_order_rows, skewed_rows, unknown_currency_rows) > rows_loaded
