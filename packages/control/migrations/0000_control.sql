CREATE SCHEMA IF NOT EXISTS "reprieve";
--> statement-breakpoint
CREATE TABLE "reprieve"."api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"hash" text NOT NULL,
	"tables" jsonb,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."approvals" (
	"plan_id" text NOT NULL,
	"principal" text NOT NULL,
	"hash" text NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "approvals_plan_id_principal_pk" PRIMARY KEY("plan_id","principal")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."batches" (
	"run_id" text NOT NULL,
	"batch" integer NOT NULL,
	"xid" text NOT NULL,
	"from_unit" bigint NOT NULL,
	"to_unit" bigint NOT NULL,
	"rows" jsonb NOT NULL,
	"collateral" jsonb NOT NULL,
	"deleted" integer NOT NULL,
	"drifted" integer NOT NULL,
	"milliseconds" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"position" "pg_lsn",
	"archived_at" timestamp with time zone,
	CONSTRAINT "batches_run_id_batch_pk" PRIMARY KEY("run_id","batch")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."drifted_rows" (
	"run_id" text NOT NULL,
	"batch" integer NOT NULL,
	"n" integer NOT NULL,
	"table" text NOT NULL,
	"key" jsonb NOT NULL,
	"why" text NOT NULL,
	CONSTRAINT "drifted_rows_run_id_batch_n_pk" PRIMARY KEY("run_id","batch","n")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."idempotency" (
	"principal" text NOT NULL,
	"procedure" text NOT NULL,
	"key" text NOT NULL,
	"body_hash" text NOT NULL,
	"answer" jsonb,
	"created_at" timestamp with time zone NOT NULL,
	"in_flight_until" timestamp with time zone,
	CONSTRAINT "idempotency_principal_procedure_key_pk" PRIMARY KEY("principal","procedure","key")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."plans" (
	"id" text PRIMARY KEY NOT NULL,
	"lineage" text NOT NULL,
	"hash" text NOT NULL,
	"status" text NOT NULL,
	"table" text NOT NULL,
	"table_oid" bigint NOT NULL,
	"policy" jsonb NOT NULL,
	"policy_name" text,
	"policy_version" integer,
	"reason" text,
	"author" text NOT NULL,
	"rows" bigint NOT NULL,
	"dependents" jsonb NOT NULL,
	"blocked" bigint NOT NULL,
	"sample" jsonb NOT NULL,
	"findings" jsonb NOT NULL,
	"estimate_seconds" real NOT NULL,
	"estimate_bytes" bigint NOT NULL,
	"body" jsonb,
	"rows_hash" text,
	"failure" jsonb,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"run_id" text,
	"undoes" text
);
--> statement-breakpoint
CREATE TABLE "reprieve"."policies" (
	"name" text NOT NULL,
	"version" integer NOT NULL,
	"policy" jsonb NOT NULL,
	"author" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "policies_name_version_pk" PRIMARY KEY("name","version")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."restored_rows" (
	"restore_id" text NOT NULL,
	"n" bigint NOT NULL,
	"table" text NOT NULL,
	"key" jsonb NOT NULL,
	"change_id" text NOT NULL,
	"state" text NOT NULL,
	"message" text,
	"version" text,
	CONSTRAINT "restored_rows_restore_id_n_pk" PRIMARY KEY("restore_id","n")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."restored_shares" (
	"restore_id" text NOT NULL,
	"batch" integer NOT NULL,
	"t" integer NOT NULL,
	"table" text NOT NULL,
	"seqs" bigint[] NOT NULL,
	"timelines" integer[] NOT NULL,
	"positions" bigint[] NOT NULL,
	"ordinals" bigint[] NOT NULL,
	"relinks" boolean[] NOT NULL,
	"seens" text[] NOT NULL,
	"key_columns" text[] NOT NULL,
	"keys" text[] NOT NULL,
	"first_position" bigint NOT NULL,
	"final_position" bigint NOT NULL,
	"first_ordinal" bigint NOT NULL,
	"final_ordinal" bigint NOT NULL,
	"is_missing" boolean NOT NULL,
	"version" text,
	CONSTRAINT "restored_shares_restore_id_batch_t_pk" PRIMARY KEY("restore_id","batch","t")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."restores" (
	"id" text PRIMARY KEY NOT NULL,
	"status" text NOT NULL,
	"selection" jsonb NOT NULL,
	"options" jsonb NOT NULL,
	"hash" text NOT NULL,
	"reason" text NOT NULL,
	"actor" text NOT NULL,
	"selected" bigint DEFAULT 0 NOT NULL,
	"restored" bigint DEFAULT 0 NOT NULL,
	"identical" bigint DEFAULT 0 NOT NULL,
	"skipped" bigint DEFAULT 0 NOT NULL,
	"conflicts" bigint DEFAULT 0 NOT NULL,
	"relinked" bigint DEFAULT 0 NOT NULL,
	"verified" bigint DEFAULT 0 NOT NULL,
	"cursor" jsonb,
	"waiting" jsonb,
	"epoch" integer DEFAULT 0 NOT NULL,
	"lease_owner" text,
	"lease_until" timestamp with time zone,
	"report" jsonb,
	"failure" jsonb,
	"undo_plan_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "reprieve"."runs" (
	"id" text PRIMARY KEY NOT NULL,
	"plan_id" text NOT NULL,
	"status" text NOT NULL,
	"table" text NOT NULL,
	"reason" text NOT NULL,
	"actor" text NOT NULL,
	"planned" bigint NOT NULL,
	"deleted" bigint DEFAULT 0 NOT NULL,
	"relinked" bigint DEFAULT 0 NOT NULL,
	"archived" bigint DEFAULT 0 NOT NULL,
	"drifted" bigint DEFAULT 0 NOT NULL,
	"collateral" bigint DEFAULT 0 NOT NULL,
	"batches" integer DEFAULT 0 NOT NULL,
	"unit" bigint DEFAULT 0 NOT NULL,
	"batch_rows" integer NOT NULL,
	"batch_limit" integer DEFAULT 100000 NOT NULL,
	"target_ms" integer NOT NULL,
	"exposure_rows" integer NOT NULL,
	"throttle" jsonb,
	"waiting" jsonb,
	"rows_per_second" real,
	"epoch" integer DEFAULT 0 NOT NULL,
	"lease_owner" text,
	"lease_until" timestamp with time zone,
	"failure" jsonb,
	"created_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"finished_at" timestamp with time zone,
	CONSTRAINT "runs_plan_id_unique" UNIQUE("plan_id")
);
--> statement-breakpoint
CREATE TABLE "reprieve"."acknowledgements" (
	"code" text PRIMARY KEY NOT NULL,
	"principal" text NOT NULL,
	"at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."audit" (
	"seq" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"principal" text NOT NULL,
	"role" text NOT NULL,
	"act" text NOT NULL,
	"target" text,
	"outcome" text NOT NULL,
	"request_id" text NOT NULL,
	"detail" jsonb,
	"previous" text NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."barriers" (
	"nonce" text PRIMARY KEY NOT NULL,
	"position" "pg_lsn" NOT NULL,
	"timeline" integer NOT NULL,
	"archived_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."canary" (
	"nonce" text PRIMARY KEY NOT NULL,
	"note" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."capture_gaps" (
	"id" text PRIMARY KEY NOT NULL,
	"lineage" text NOT NULL,
	"table" text,
	"from_position" "pg_lsn",
	"to_position" "pg_lsn",
	"since" timestamp with time zone,
	"until" timestamp with time zone,
	"reason" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."capture_state" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"lineage" text NOT NULL,
	"state" text NOT NULL,
	"received" "pg_lsn",
	"archived" "pg_lsn",
	"acknowledged" "pg_lsn",
	"findings" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"heartbeat_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."incidents" (
	"id" text PRIMARY KEY NOT NULL,
	"code" text NOT NULL,
	"message" text NOT NULL,
	"remedy" text NOT NULL,
	"table" text,
	"position" text,
	"stops_capture" boolean NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"resolved_at" timestamp with time zone,
	"resolved_by" text
);
--> statement-breakpoint
CREATE TABLE "reprieve"."lineages" (
	"id" text PRIMARY KEY NOT NULL,
	"system_identifier" text NOT NULL,
	"database_oid" bigint NOT NULL,
	"slot" text NOT NULL,
	"timeline" integer NOT NULL,
	"nonce" text,
	"previous_nonce" text,
	"nonce_at" "pg_lsn",
	"channel" text DEFAULT 'stream' NOT NULL,
	"opened_at" timestamp with time zone NOT NULL,
	"closed_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "reprieve"."protected_tables" (
	"oid" bigint PRIMARY KEY NOT NULL,
	"schema" text NOT NULL,
	"name" text NOT NULL,
	"root_oid" bigint NOT NULL,
	"kind" text NOT NULL,
	"why" text NOT NULL,
	"former_identity" text NOT NULL,
	"former_index" text,
	"truncate" text NOT NULL,
	"status" text NOT NULL,
	"changed_xid" text NOT NULL,
	"changed_at" timestamp with time zone NOT NULL,
	"proof_nonce" text,
	"acknowledged" jsonb NOT NULL,
	"protected_since" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "reprieve"."receipts" (
	"lineage" text NOT NULL,
	"timeline" integer NOT NULL,
	"position" "pg_lsn" NOT NULL,
	"xid" bigint NOT NULL,
	"committed_at" timestamp with time zone NOT NULL,
	"archived_at" timestamp with time zone NOT NULL,
	"kind" text,
	"job_id" text,
	"batch" integer,
	"rows" jsonb NOT NULL,
	"sealed" jsonb,
	"collateral" jsonb,
	CONSTRAINT "receipts_lineage_timeline_position_pk" PRIMARY KEY("lineage","timeline","position")
);
--> statement-breakpoint
CREATE INDEX "batches_exposed" ON "reprieve"."batches" USING btree ("run_id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "plans_created" ON "reprieve"."plans" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "restored_rows_change" ON "reprieve"."restored_rows" USING btree ("change_id");--> statement-breakpoint
CREATE INDEX "restores_created" ON "reprieve"."restores" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "runs_created" ON "reprieve"."runs" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "receipts_job" ON "reprieve"."receipts" USING btree ("kind","job_id","batch");--> statement-breakpoint
ALTER TABLE "reprieve"."restored_shares" ALTER COLUMN "seqs" SET STORAGE EXTERNAL, ALTER COLUMN "timelines" SET STORAGE EXTERNAL, ALTER COLUMN "positions" SET STORAGE EXTERNAL, ALTER COLUMN "ordinals" SET STORAGE EXTERNAL, ALTER COLUMN "relinks" SET STORAGE EXTERNAL, ALTER COLUMN "seens" SET STORAGE EXTERNAL, ALTER COLUMN "keys" SET STORAGE EXTERNAL;
