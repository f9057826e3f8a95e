{#-
  A moment of the sender's clock, corrected by what that clock was off when it sent: received_at - sent_at. Unchanged where
  either is missing, or is no time that a clock shows.
-#}
{% macro corrected_moment(moment, sent_at, received_at) -%}
    case
        when
            {{ sent_at }} between timestamp '1970-01-01' and timestamp '2099-12-31'
            and {{ received_at }} between timestamp '1970-01-01' and timestamp '2099-12-31'
            then {{ moment }} + ({{ received_at }} - {{ sent_at }})
        else {{ moment }}
    end
{%- endmacro %}
