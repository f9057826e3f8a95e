-- One row per identifier, with the first-loaded identifier of its person.
{{ connected_components(nodes=ref('int_identity__nodes'), edges=ref('int_identity__edges')) }}
