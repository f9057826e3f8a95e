-- One row per person: the label of each segment family as of the night.
{{ label_moments("moment_type = 'now'") }}
