-- Grain: one row per file x change x header in which it differs from the file before.
-- The file before is the one that was loaded before it from the same folder of a dataset, so that
-- each source of a dataset is compared with itself. Keys of JSON objects may be absent for want of
-- a value: of those only unknown ones that are new, and new names of a column, are told.
with files as (
    select
        file_seq,
        dataset,
        path,
        regexp_replace(path, '[^/]*$', '') as folder,
        loaded_at
    from {{ ref('stg_landing__files') }}
),

file_columns as (
    select
        file_columns.file_seq,
        files.dataset,
        files.folder,
        file_columns.header_name,
        file_columns.column_name,
        file_columns.kind,
        file_columns.header_position is not null as has_position,
        coalesce(file_columns.header_position, 0) as header_position
    from {{ ref('stg_landing__file_columns') }} as file_columns
    inner join files
        on file_columns.file_seq = files.file_seq
),

files_with_columns as (
    select
        file_seq,
        dataset,
        folder,
        has_position
    from file_columns
    group by file_seq, dataset, folder, has_position
),

-- Files with a header, each with the one before it.
pairs as (
    select
        file_seq,
        lag(file_seq) over (partition by dataset, folder order by file_seq) as previous_file_seq
    from files_with_columns
    where has_position
),

appeared as (
    select
        pairs.file_seq,
        pairs.previous_file_seq,
        this_file.header_name,
        this_file.column_name,
        this_file.kind,
        -- What is left to itself replaces nothing; a condition of the join would compare all pairs.
        case when this_file.column_name <> 'extra' then this_file.column_name end
            as replaced_column,
        row_number() over (
            partition by pairs.file_seq, this_file.column_name
            order by this_file.header_position, this_file.header_name
        ) as number_in_column
    from pairs
    inner join file_columns as this_file
        on pairs.file_seq = this_file.file_seq
    left join file_columns as file_before
        on
            pairs.previous_file_seq = file_before.file_seq
            and this_file.header_name = file_before.header_name
    where
        pairs.previous_file_seq is not null
        and file_before.file_seq is null
),

vanished as (
    select
        pairs.file_seq,
        pairs.previous_file_seq,
        file_before.header_name,
        file_before.column_name,
        file_before.kind,
        row_number() over (
            partition by pairs.file_seq, file_before.column_name
            order by file_before.header_position, file_before.header_name
        ) as number_in_column
    from pairs
    inner join file_columns as file_before
        on pairs.previous_file_seq = file_before.file_seq
    left join file_columns as this_file
        on
            pairs.file_seq = this_file.file_seq
            and file_before.header_name = this_file.header_name
    where this_file.file_seq is null
),

-- A header that appeared and one that vanished are a rename where both became the same column.
replaced as (
    select
        coalesce(appeared.file_seq, vanished.file_seq) as file_seq,
        coalesce(appeared.previous_file_seq, vanished.previous_file_seq) as previous_file_seq,
        case
            when vanished.header_name is null then 'added'
            when appeared.header_name is null then 'removed'
            else 'renamed'
        end as change_type,
        coalesce(appeared.header_name, vanished.header_name) as header_name,
        vanished.header_name as previous_header,
        coalesce(appeared.column_name, vanished.column_name) as column_name,
        appeared.kind,
        vanished.kind as previous_kind
    from appeared
    full outer join vanished
        on
            appeared.file_seq = vanished.file_seq
            and appeared.replaced_column = vanished.column_name
            and appeared.number_in_column = vanished.number_in_column
),

retyped as (
    select
        pairs.file_seq,
        pairs.previous_file_seq,
        'retyped' as change_type,
        this_file.header_name,
        file_before.header_name as previous_header,
        this_file.column_name,
        this_file.kind,
        file_before.kind as previous_kind
    from pairs
    inner join file_columns as this_file
        on pairs.file_seq = this_file.file_seq
    inner join file_columns as file_before
        on
            pairs.previous_file_seq = file_before.file_seq
            and this_file.header_name = file_before.header_name
    -- A column that is wholly empty may have no type.
    where
        this_file.kind <> file_before.kind
        and this_file.kind <> 'none'
        and file_before.kind <> 'none'
),

first_seen_keys as (
    select
        dataset,
        folder,
        header_name,
        min(file_seq) as file_seq
    from file_columns
    where not has_position
    group by dataset, folder, header_name
),

key_pairs as (
    select
        file_seq,
        lag(file_seq) over (partition by dataset, folder order by file_seq) as previous_file_seq
    from files_with_columns
    where not has_position
),

-- The keys of the file before that this file has not, for each column.
vanished_keys as (
    select
        key_pairs.file_seq,
        file_before.column_name,
        min(file_before.header_name) as header_name,
        min(file_before.kind) as kind
    from key_pairs
    inner join file_columns as file_before
        on key_pairs.previous_file_seq = file_before.file_seq
    left join file_columns as this_file
        on
            key_pairs.file_seq = this_file.file_seq
            and file_before.header_name = this_file.header_name
    where
        this_file.file_seq is null
        and file_before.column_name <> 'extra'
    group by key_pairs.file_seq, file_before.column_name
),

new_keys as (
    select
        key_pairs.file_seq,
        key_pairs.previous_file_seq,
        case when vanished_keys.header_name is null then 'added' else 'renamed' end as change_type,
        this_file.header_name,
        vanished_keys.header_name as previous_header,
        this_file.column_name,
        this_file.kind,
        vanished_keys.kind as previous_kind
    from key_pairs
    inner join first_seen_keys
        on key_pairs.file_seq = first_seen_keys.file_seq
    inner join file_columns as this_file
        on
            first_seen_keys.file_seq = this_file.file_seq
            and first_seen_keys.header_name = this_file.header_name
    left join vanished_keys
        on
            this_file.file_seq = vanished_keys.file_seq
            and this_file.column_name = vanished_keys.column_name
    where
        key_pairs.previous_file_seq is not null
        and (this_file.column_name = 'extra' or vanished_keys.header_name is not null)
),

changes as (
    select * from replaced
    union all
    select * from retyped
    union all
    select * from new_keys
),

final as (
    select
        ---------- keys
        changes.file_seq,
        changes.previous_file_seq,
        ---------- text
        files.dataset,
        files.path,
        changes.change_type,
        changes.header_name,
        changes.previous_header,
        changes.column_name,
        changes.kind,
        changes.previous_kind,
        ---------- times
        files.loaded_at
    from changes
    inner join files
        on changes.file_seq = files.file_seq
)

select * from final
