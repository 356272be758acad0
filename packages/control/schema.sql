create table reprieve.acknowledgements (
    at timestamp with time zone not null,
    code text not null,
    principal text not null,
    constraint acknowledgements_pkey PRIMARY KEY (code)
);

create table reprieve.api_keys (
    created_at timestamp with time zone not null,
    created_by text not null,
    hash text not null,
    id text not null,
    name text not null,
    revoked_at timestamp with time zone,
    role text not null,
    tables jsonb,
    constraint api_keys_hash_unique UNIQUE (hash),
    constraint api_keys_pkey PRIMARY KEY (id)
);

create table reprieve.approvals (
    at timestamp with time zone not null,
    hash text not null,
    plan_id text not null,
    principal text not null,
    constraint approvals_plan_id_principal_pk PRIMARY KEY (plan_id, principal)
);

create table reprieve.audit (
    act text not null,
    at timestamp with time zone not null,
    detail jsonb,
    hash text not null,
    outcome text not null,
    previous text not null,
    principal text not null,
    request_id text not null,
    role text not null,
    seq bigint not null default nextval('reprieve.audit_seq_seq'::regclass),
    target text,
    constraint audit_pkey PRIMARY KEY (seq)
);

create table reprieve.barriers (
    archived_at timestamp with time zone not null,
    nonce text not null,
    "position" pg_lsn not null,
    timeline integer not null,
    constraint barriers_pkey PRIMARY KEY (nonce)
);

create table reprieve.batches (
    archived_at timestamp with time zone,
    at timestamp with time zone not null,
    batch integer not null,
    collateral jsonb not null,
    deleted integer not null,
    drifted integer not null,
    from_unit bigint not null,
    milliseconds integer not null,
    "position" pg_lsn,
    rows jsonb not null,
    run_id text not null,
    to_unit bigint not null,
    xid text not null,
    constraint batches_run_id_batch_pk PRIMARY KEY (run_id, batch)
);
CREATE INDEX batches_exposed ON reprieve.batches USING btree (run_id) WHERE (archived_at IS NULL);

create table reprieve.canary (
    nonce text not null,
    note text not null,
    constraint canary_pkey PRIMARY KEY (nonce)
);

create table reprieve.capture_gaps (
    from_position pg_lsn,
    id text not null,
    lineage text not null,
    reason text not null,
    recorded_at timestamp with time zone not null,
    since timestamp with time zone,
    "table" text,
    to_position pg_lsn,
    until timestamp with time zone,
    constraint capture_gaps_pkey PRIMARY KEY (id)
);

create table reprieve.capture_state (
    acknowledged pg_lsn,
    archived pg_lsn,
    findings jsonb not null default '[]'::jsonb,
    heartbeat_at timestamp with time zone not null,
    id integer not null default 1,
    lineage text not null,
    received pg_lsn,
    state text not null,
    constraint capture_state_pkey PRIMARY KEY (id)
);

create table reprieve.drifted_rows (
    batch integer not null,
    key jsonb not null,
    n integer not null,
    run_id text not null,
    "table" text not null,
    why text not null,
    constraint drifted_rows_run_id_batch_n_pk PRIMARY KEY (run_id, batch, n)
);

create table reprieve.idempotency (
    answer jsonb,
    body_hash text not null,
    created_at timestamp with time zone not null,
    in_flight_until timestamp with time zone,
    key text not null,
    principal text not null,
    procedure text not null,
    constraint idempotency_principal_procedure_key_pk PRIMARY KEY (principal, procedure, key)
);

create table reprieve.incidents (
    at timestamp with time zone not null,
    code text not null,
    id text not null,
    message text not null,
    "position" text,
    remedy text not null,
    resolved_at timestamp with time zone,
    resolved_by text,
    stops_capture boolean not null,
    "table" text,
    constraint incidents_pkey PRIMARY KEY (id)
);

create table reprieve.lineages (
    channel text not null default 'stream'::text,
    closed_at timestamp with time zone,
    database_oid bigint not null,
    id text not null,
    nonce text,
    nonce_at pg_lsn,
    opened_at timestamp with time zone not null,
    previous_nonce text,
    slot text not null,
    system_identifier text not null,
    timeline integer not null,
    constraint lineages_pkey PRIMARY KEY (id)
);

create table reprieve.migrations (
    created_at bigint,
    hash text not null,
    id integer not null default nextval('reprieve.migrations_id_seq'::regclass),
    constraint migrations_pkey PRIMARY KEY (id)
);

create table reprieve.plans (
    author text not null,
    blocked bigint not null,
    body jsonb,
    created_at timestamp with time zone not null,
    dependents jsonb not null,
    estimate_bytes bigint not null,
    estimate_seconds real not null,
    expires_at timestamp with time zone not null,
    failure jsonb,
    findings jsonb not null,
    hash text not null,
    id text not null,
    lineage text not null,
    policy jsonb not null,
    policy_name text,
    policy_version integer,
    reason text,
    rows bigint not null,
    rows_hash text,
    run_id text,
    sample jsonb not null,
    status text not null,
    "table" text not null,
    table_oid bigint not null,
    undoes text,
    constraint plans_pkey PRIMARY KEY (id)
);
CREATE INDEX plans_created ON reprieve.plans USING btree (created_at);

create table reprieve.policies (
    author text not null,
    created_at timestamp with time zone not null,
    name text not null,
    policy jsonb not null,
    version integer not null,
    constraint policies_name_version_pk PRIMARY KEY (name, version)
);

create table reprieve.protected_tables (
    acknowledged jsonb not null,
    changed_at timestamp with time zone not null,
    changed_xid text not null,
    created_at timestamp with time zone not null,
    former_identity text not null,
    former_index text,
    kind text not null,
    name text not null,
    oid bigint not null,
    proof_nonce text,
    protected_since timestamp with time zone,
    root_oid bigint not null,
    schema text not null,
    status text not null,
    truncate text not null,
    why text not null,
    constraint protected_tables_pkey PRIMARY KEY (oid)
);

create table reprieve.receipts (
    archived_at timestamp with time zone not null,
    batch integer,
    collateral jsonb,
    committed_at timestamp with time zone not null,
    job_id text,
    kind text,
    lineage text not null,
    "position" pg_lsn not null,
    rows jsonb not null,
    sealed jsonb,
    timeline integer not null,
    xid bigint not null,
    constraint receipts_lineage_timeline_position_pk PRIMARY KEY (lineage, timeline, "position")
);
CREATE INDEX receipts_job ON reprieve.receipts USING btree (kind, job_id, batch);

create table reprieve.restored_rows (
    change_id text not null,
    key jsonb not null,
    message text,
    n bigint not null,
    restore_id text not null,
    state text not null,
    "table" text not null,
    version text,
    constraint restored_rows_restore_id_n_pk PRIMARY KEY (restore_id, n)
);
CREATE INDEX restored_rows_change ON reprieve.restored_rows USING btree (change_id);

create table reprieve.restored_shares (
    batch integer not null,
    final_ordinal bigint not null,
    final_position bigint not null,
    first_ordinal bigint not null,
    first_position bigint not null,
    is_missing boolean not null,
    key_columns text[] not null,
    keys text[] storage external not null,
    ordinals bigint[] storage external not null,
    positions bigint[] storage external not null,
    relinks boolean[] storage external not null,
    restore_id text not null,
    seens text[] storage external not null,
    seqs bigint[] storage external not null,
    t integer not null,
    "table" text not null,
    timelines integer[] storage external not null,
    version text,
    constraint restored_shares_restore_id_batch_t_pk PRIMARY KEY (restore_id, batch, t)
);

create table reprieve.restores (
    actor text not null,
    conflicts bigint not null default 0,
    created_at timestamp with time zone not null,
    cursor jsonb,
    epoch integer not null default 0,
    failure jsonb,
    finished_at timestamp with time zone,
    hash text not null,
    id text not null,
    identical bigint not null default 0,
    lease_owner text,
    lease_until timestamp with time zone,
    options jsonb not null,
    reason text not null,
    relinked bigint not null default 0,
    report jsonb,
    restored bigint not null default 0,
    selected bigint not null default 0,
    selection jsonb not null,
    skipped bigint not null default 0,
    started_at timestamp with time zone,
    status text not null,
    undo_plan_id text,
    verified bigint not null default 0,
    waiting jsonb,
    constraint restores_pkey PRIMARY KEY (id)
);
CREATE INDEX restores_created ON reprieve.restores USING btree (created_at);

create table reprieve.runs (
    actor text not null,
    archived bigint not null default 0,
    batch_limit integer not null default 100000,
    batch_rows integer not null,
    batches integer not null default 0,
    collateral bigint not null default 0,
    created_at timestamp with time zone not null,
    deleted bigint not null default 0,
    drifted bigint not null default 0,
    epoch integer not null default 0,
    exposure_rows integer not null,
    failure jsonb,
    finished_at timestamp with time zone,
    id text not null,
    lease_owner text,
    lease_until timestamp with time zone,
    plan_id text not null,
    planned bigint not null,
    reason text not null,
    relinked bigint not null default 0,
    rows_per_second real,
    started_at timestamp with time zone,
    status text not null,
    "table" text not null,
    target_ms integer not null,
    throttle jsonb,
    unit bigint not null default 0,
    waiting jsonb,
    constraint runs_pkey PRIMARY KEY (id),
    constraint runs_plan_id_unique UNIQUE (plan_id)
);
CREATE INDEX runs_created ON reprieve.runs USING btree (created_at);
