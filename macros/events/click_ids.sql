{#-
  Names of the click ids of ad platforms, as they stand in the URL of a landing page and as columns of events: Google (gclid,
  gbraid, wbraid, dclid: Display, srsltid: free listings), Microsoft, Meta, TikTok, X, LinkedIn, Pinterest, Snapchat, Reddit,
  Yandex, and the affiliate networks Impact and Awin.
-#}
{% macro click_ids() -%}
    {{ return([
        'gclid', 'gbraid', 'wbraid', 'dclid', 'srsltid', 'msclkid', 'fbclid', 'ttclid', 'twclid',
        'li_fat_id', 'epik', 'sccid', 'rdt_cid', 'yclid', 'irclickid', 'awc'
    ]) }}
{%- endmacro %}
