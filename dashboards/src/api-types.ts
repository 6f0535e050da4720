// What the REST interface takes and answers, of openapi.json by `make api-types`. Not to be edited.

export interface paths {
    "/api/v1/backup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Copies everything that is stored into a directory. Only over the hub's own socket.
         * @description The answer is lines of JSON: `{"progress":[done,total]}` in bytes while it goes on, then `{"answer":...}` or `{"error":...}`.
         */
        post: operations["post_backup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reads everything that is stored and names what is damaged.
         * @description The answer is lines of JSON: `{"progress":[done,total]}` in bytes while it goes on, then `{"answer":...}` or `{"error":...}`.
         */
        post: operations["post_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Completes a selector that is being typed. */
        get: operations["get_complete"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The devices there are. */
        get: operations["get_devices"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/devices/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One device. */
        get: operations["get_devices_by_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes name, note or attributes. A device that has sent nothing yet can be described, too. */
        patch: operations["patch_devices_by_id"];
        trace?: never;
    };
    "/api/v1/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every reading of a selection, for `POST import` and other programs. Of any length; sorted by device, metric, labels, then time. */
        get: operations["get_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Readings of a range: every one, or thinned to `points` columns, or summed up in buckets. */
        get: operations["get_history"];
        put?: never;
        post?: never;
        /** Deletes readings of a range, [from, to). Readings that come in later are kept, also at the same times. */
        delete: operations["delete_history"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes what `GET export` gives, of any length. A line that is refused does not hold up the others; the same body again is harmless. */
        post: operations["post_import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The handler: upgrades and serves until the peer, the token or the hub ends. */
        get: operations["get_ingest"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/last": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Last known values. */
        get: operations["get_last"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Subscriptions to series: a snapshot, then every change. JSON text, or MessagePack by `telltale.live.v1.msgpack`. */
        get: operations["get_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/live/sse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A snapshot, then every change, as server-sent events: `event` is the message's type, `id` its cursor, `data` the message that
         *     the WebSocket sends as JSON.
         */
        get: operations["get_live_sse"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/live/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A ticket with the access of the one who asks. */
        post: operations["post_live_ticket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Opens a session: 204 and a cookie. */
        post: operations["post_login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A link that logs in once, within 15 minutes. `telltale login` asks for it. */
        post: operations["post_login_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the session of this request. */
        post: operations["post_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document. Open to anyone: it holds no data. */
        get: operations["get_openapi_json"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The series there are. */
        get: operations["get_series"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/series/top": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who makes most series, and whose grow fastest. */
        get: operations["get_series_top"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who this request is. */
        get: operations["get_session"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every session that is open. */
        get: operations["get_sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a session; its sockets close within a second. */
        delete: operations["delete_sessions_by_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What takes the room: days, kinds, and the series that take most. */
        get: operations["get_stats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the hub says of itself. */
        get: operations["get_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/status/refusals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The last refused readings. */
        get: operations["get_status_refusals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every token that is not revoked. */
        get: operations["get_tokens"];
        put?: never;
        /** Makes a token. Its secret is shown this once. */
        post: operations["post_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes a token; its sockets close within a second, its sessions end. */
        delete: operations["delete_tokens_by_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v2/write": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Line protocol as InfluxDB 2 takes it. `org` and `bucket` are accepted and ignored; `precision` is ns, us, ms or s. */
        post: operations["post_api_v2_write"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** `readyz` in the words of InfluxDB, for its clients. */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["get_healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The hub's own counters, for Prometheus. */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ping": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What clients of InfluxDB look for before they write. */
        get: operations["get_ping"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/query": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The same without a body. */
        get: operations["get_query"];
        put?: never;
        /**
         * What clients of InfluxDB 1 ask before they write: `CREATE DATABASE`, `CREATE RETENTION POLICY` and `SHOW DATABASES`. There is nothing to
         *     make, so they are told that it is there. `q` may also be in the body, as a form.
         */
        post: operations["post_query"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: operations["get_readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/write": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The same for clients of InfluxDB 1: refusals are `{"error"}`; `precision` may be n, u, m and h too. */
        post: operations["post_write"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        BackupBody: {
            /** @description Of these, those that changed since the backup before. */
            copied: number;
            /** Format: int64 */
            copied_bytes: number;
            /** @description Up to where everything is in it: epoch and position. */
            epoch: string;
            files: number;
            /** Format: int64 */
            position: number;
            /** Format: int64 */
            readings: number;
            series: number;
        };
        /** @description A line of the answer: one of these. */
        BackupLine: {
            answer?: components["schemas"]["BackupBody"] | null;
            error?: components["schemas"]["ErrorDetail"] | null;
            /** @description Bytes done, of how many. */
            progress?: number[] | null;
        };
        BackupRequest: {
            /** @description An absolute path: empty, or an earlier backup. */
            dir: string;
        };
        BadRow: {
            /** @description Within the data directory. */
            file: string;
            /** @description The series' name, where it is one. */
            name?: string | null;
            place: string;
            /** @description By number, the least and the greatest. */
            series?: number[] | null;
            /** @description All of it for people. */
            text: string;
            /** @description From the first reading to past the last, ms since 1970 UTC. */
            times?: number[] | null;
            what: string;
        };
        /**
         * @description By what series are grouped.
         * @enum {string}
         */
        ByName: "token" | "device" | "metric" | "label";
        Candidate: {
            /** @description What to write there: the same with escapes. */
            insert: string;
            /** @description `device`, `metric`, `label`, `label_value`, `attribute` or `attribute_value`. */
            part: string;
            /**
             * Format: int64
             * @description How many series have it, of those that the rest of `prefix` matches.
             */
            series: number;
            /** @description As it is called. */
            text: string;
            /** @description What follows it in a selector: `/`, `="`, `"` or nothing. */
            then: string;
            /** @description The end of `prefix`, which it replaces. */
            typed: string;
        };
        CheckBody: {
            bad: components["schemas"]["BadRow"][];
            /**
             * Format: int64
             * @description Of these and of the log.
             */
            bytes: number;
            /** Format: int64 */
            commits: number;
            /**
             * Format: int64
             * @description Damaged places; the first 1,000 of each kind of file are named.
             */
            damaged: number;
            /**
             * Format: int64
             * @description Files of the store.
             */
            files: number;
            /** @description What is worth knowing and no damage. */
            notes: string[];
            /**
             * Format: int64
             * @description Readings in chunks that can be read.
             */
            readings: number;
            /**
             * Format: int64
             * @description Chunks.
             */
            rows: number;
            /**
             * Format: int64
             * @description Of the log.
             */
            segments: number;
            /**
             * Format: int64
             * @description In the catalog.
             */
            series: number;
        };
        /** @description A line of the answer: one of these. */
        CheckLine: {
            answer?: components["schemas"]["CheckBody"] | null;
            error?: components["schemas"]["ErrorDetail"] | null;
            /** @description Bytes done, of how many. */
            progress?: number[] | null;
        };
        /** @description Of the newest commits, appended and synced. */
        CommitTimes: {
            /** Format: double */
            max_ms: number;
            /** @description How many they are, up to 1024. */
            of: number;
            /** Format: double */
            p50_ms: number;
            /** Format: double */
            p99_ms: number;
        };
        /** @description What may stand there: by part, sorted. */
        CompleteBody: {
            candidates: components["schemas"]["Candidate"][];
            /** @description There are others behind the last of a part. */
            more: boolean;
        };
        /** @description An edit: what is not named stays as it is, null takes it away. */
        DeviceEdit: {
            /** @description By name; null takes that one away. */
            attributes?: {
                [key: string]: string | null;
            };
            name?: string | null;
            note?: string | null;
            /**
             * Format: int64
             * @description The version that was edited: refused as `conflict` when it is another by now.
             */
            version?: number | null;
        };
        DeviceRow: {
            attributes: {
                [key: string]: string;
            };
            /** @description The id, as it is sent. */
            device: string;
            /** @description What people call it. */
            name?: string | null;
            note?: string | null;
            /**
             * Format: double
             * @description When the hub last heard of it, ms since 1970 UTC.
             */
            seen?: number | null;
            /**
             * Format: int64
             * @description How many series of it there are.
             */
            series: number;
            /**
             * Format: double
             * @description When that state began, ms since 1970 UTC.
             */
            since?: number | null;
            /** @description `online`: some agent's session brings it; `silent`: but no reading came for a while; `offline`; `unknown`. */
            state: components["schemas"]["StateName"];
            /**
             * Format: int64
             * @description Grows with each edit of name, note and attributes; 0: never edited.
             */
            version: number;
            /** @description The agent or token that brought it last. */
            via?: string | null;
        };
        /** @description A page of devices, sorted by id. */
        DevicesBody: {
            devices: components["schemas"]["DeviceRow"][];
            /** @description Give it as `after` for the next page; absent on the last. */
            next?: string | null;
        };
        /** @description What the data directory takes, what is left, and until when. */
        DiskStatus: {
            /** @description Readings of a `[[retention]]` rule go by their age too: the forecast is then how it goes at the soonest. */
            expires_by_age: boolean;
            forecast?: components["schemas"]["ForecastStatus"] | null;
            /**
             * Format: int64
             * @description Of the file system that it is on; null where it could not be asked.
             */
            free_bytes?: number | null;
            /**
             * Format: int64
             * @description `[store] max_bytes`; null: no bound.
             */
            max_bytes?: number | null;
            /**
             * Format: int64
             * @description `[store] reserve_bytes`: with less free, readings are refused.
             */
            reserve_bytes: number;
            /** Format: int64 */
            size_bytes?: number | null;
            /**
             * Format: int64
             * @description Of everything in the data directory.
             */
            used_bytes: number;
        };
        /** @description What a deletion took, or would take. */
        Erased: {
            /** @description Where in the order of commits it stands. */
            cursor?: string | null;
            /** @description Nothing was deleted: `dry_run=false` does it. */
            dry_run: boolean;
            readings: number;
            series: number;
        };
        ErrorBody: {
            error: components["schemas"]["ErrorDetail"];
        };
        ErrorDetail: {
            /** @description What kind of refusal it is, for programs. */
            code: string;
            /** @description What to do about it. */
            hint?: string | null;
            /** @description What was wrong, for people. */
            message: string;
        };
        FileRow: {
            /** Format: int64 */
            bytes: number;
            /** @description UTC. */
            day: string;
            file: string;
            /** @description raw or rollup */
            kind: string;
            levels: components["schemas"]["LevelRow"][];
            /** Format: int64 */
            readings: number;
        };
        /** @description Something bounded. */
        Filled: {
            max: number;
            now: number;
        };
        /**
         * @description What is said of empty buckets.
         * @enum {string}
         */
        FillParam: "none" | "null" | "previous" | "linear" | "zero";
        /** @description Readings stored in the last day, or since the start, times what a sealed one takes. */
        ForecastStatus: {
            /** Format: double */
            bytes_per_day: number;
            /** Format: double */
            bytes_per_reading: number;
            /**
             * Format: double
             * @description Null: never at this rate.
             */
            full_in_s?: number | null;
            /** @description What is full then: the `disk` (readings are refused) or `max_bytes` (the oldest days go). */
            full_of?: string | null;
            /**
             * Format: int64
             * @description Over how long that was measured.
             */
            measured_s: number;
            /** Format: double */
            readings_per_s: number;
        };
        /** @enum {string} */
        FormatParam: "json" | "csv" | "ndjson" | "msgpack" | "parquet";
        Gateway: {
            /**
             * Format: double
             * @description It works off a backlog: the oldest reading of the last late ones that came within a minute, ms since 1970 UTC. What an agent
             *     still holds, only the agent knows. WebSockets alone.
             */
            backlog_from?: number | null;
            /** @description Devices that it brought last, by state. */
            devices: {
                [key: string]: number;
            };
            /**
             * Format: double
             * @description When the hub last heard of one of them, ms since 1970 UTC.
             */
            seen?: number | null;
            /** @description The agent's or token's name. */
            via: string;
        };
        /**
         * @description What is made of the series of a group.
         * @enum {string}
         */
        GroupParam: "sum" | "mean" | "min" | "max";
        HealthBody: {
            message: string;
            name: string;
            /** @description `pass` or `fail`. */
            status: string;
            version: string;
        };
        /** @description The answer as JSON; `msgpack` is the same map. */
        HistoryBody: {
            /** @description Something of the range cannot be read and is left out. */
            incomplete?: boolean | null;
            /** @description Why; not in MessagePack. What is known before the answer begins is in the header `X-Telltale-Incomplete` too, in every format. */
            incomplete_why?: string | null;
            /** @description What is older than this is not kept; only told when `from` is. */
            retained_from?: unknown;
            /** @description Sorted by device, metric, labels. */
            series: components["schemas"]["HistorySeries"][];
            /** @description `rollup`: some of it was made of rollups, since the readings themselves are not kept any more. */
            source?: string | null;
            /** @description Whether `points` was asked for. */
            thinned: boolean;
        };
        HistorySeries: {
            /** @description `time`, then `value` or the aggregates in the order asked. */
            columns: string[];
            /**
             * Format: int64
             * @description With `group`: of how many series this is one.
             */
            count?: number | null;
            /** @description With `group` what its series have in common, else empty; so is the metric. */
            device: string;
            kind: components["schemas"]["KindName"];
            labels: {
                [key: string]: string;
            };
            metric: string;
            /** @description One array per point, as the columns say. */
            points: unknown[][];
            unit?: string | null;
        };
        /** @description What became of the readings of a body. */
        Imported: {
            /** @description There already with the same value. */
            duplicate: number;
            /** @description The first that were refused. */
            refusals: components["schemas"]["RefusedLine"][];
            refused: number;
            /** @description New or rewritten. */
            stored: number;
        };
        /** @description What an answer to `/api/v2/write` says when not all of the body is stored. */
        InfluxRefusal: {
            /** @description A code of InfluxDB 2: `invalid`, `unauthorized`, `unprocessable entity`, ... */
            code: string;
            /**
             * Format: int32
             * @description The first line that is not well-formed, from 1.
             */
            line?: number | null;
            message: string;
        };
        /** @description The same for clients of InfluxDB 1; also in the header `X-Influxdb-Error`. */
        InfluxRefusalV1: {
            error: string;
        };
        /** @description How far InfluxDB is behind, and what it does not take. */
        InfluxStatus: {
            /** @description Why it takes nothing now, and since when, ms since 1970 UTC. */
            away?: string | null;
            /** Format: double */
            away_since?: number | null;
            /**
             * Format: int64
             * @description Bytes of the log that are not, and for how long the oldest have waited.
             */
            backlog_bytes: number;
            /** Format: int64 */
            backlog_s: number;
            /**
             * Format: int64
             * @description Readings that were older than the bucket keeps before it took them.
             */
            expired: number;
            /**
             * Format: int64
             * @description Of the newest commit that is there.
             */
            forwarded: number;
            /**
             * Format: int64
             * @description Rows that it refused for good: they are in `set-aside/`.
             */
            refused: number;
            refused_last?: string | null;
        };
        /**
         * @description What the values of a series mean.
         * @enum {string}
         */
        KindName: "gauge" | "counter" | "state" | "text";
        LargestRow: {
            /** Format: int64 */
            bytes: number;
            /** @description Null for a series that the catalog does not know. */
            name?: string | null;
            /** Format: int32 */
            number: number;
            /** Format: int64 */
            readings: number;
        };
        LastBody: {
            series: components["schemas"]["LastSeries"][];
        };
        LastSeries: {
            /** @description When the value became what it is. */
            changed: unknown;
            device: string;
            kind: components["schemas"]["KindName"];
            labels: {
                [key: string]: string;
            };
            metric: string;
            /** @description When the hub last received a reading of the series, whatever its time. */
            seen: unknown;
            /** @description When it was measured: the newest there is. A text with `time=rfc3339`. */
            time: unknown;
            unit?: string | null;
            value: unknown;
        };
        LevelRow: {
            /**
             * Format: int64
             * @description Without what SQLite needs around them.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Seconds of a bucket; 0 for readings.
             */
            level: number;
        };
        LinkAnswer: {
            link: string;
        };
        LinkBody: {
            role?: components["schemas"]["RoleName"] | null;
        };
        LoginBody: {
            /** @description The code of a login link. */
            code?: string | null;
            /** @description Or a token, whose role and scope the session gets. */
            token?: string | null;
        };
        /** @description An agent had sent these before, and they were acked. */
        MissingRow: {
            agent: string;
            /**
             * Format: double
             * @description When the agent came with a later one, ms since 1970 UTC.
             */
            at: number;
            /** @description Of its spool. */
            boot: string;
            /**
             * Format: int64
             * @description Numbers of batches; both are missing too.
             */
            from: number;
            /** Format: int64 */
            to: number;
        };
        NewToken: {
            /** @description A glob: only devices whose id matches. Absent: every device. */
            devices?: string | null;
            /** @description For people; the role unless it is said. */
            name?: string | null;
            /** @description `agent` sends readings, `viewer` sees them, `admin` does everything. */
            role: components["schemas"]["RoleName"];
            /** @description A selector: only series that it matches. Absent: every series. */
            select?: string | null;
        };
        ReadyBody: {
            ready: boolean;
            reasons: components["schemas"]["Reason"][];
        };
        Reason: {
            code: string;
            message: string;
        };
        /** @description What the start found in the commit log. */
        RecoveredStatus: {
            /** Format: int64 */
            bytes: number;
            /** @description The last stop was in order. */
            clean: boolean;
            /** Format: int64 */
            commits: number;
            /** @description All cursors began anew. */
            epoch_changed: boolean;
            set_aside: components["schemas"]["SetAsideRow"][];
        };
        RefusalRow: {
            code: string;
            device: string;
            message: string;
            metric: string;
            /**
             * Format: double
             * @description When it was refused, ms since 1970 UTC.
             */
            time: number;
            /**
             * Format: int32
             * @description The number of the token that sent it.
             */
            token: number;
            /** @description Its name; null when it was revoked. */
            token_name?: string | null;
        };
        RefusalsBody: {
            /** @description How many are remembered at most. */
            max: number;
            /** @description Newest first. */
            refusals: components["schemas"]["RefusalRow"][];
        };
        RefusedLine: {
            code: string;
            device: string;
            /**
             * Format: int32
             * @description From 1; the first line of CSV counts. Of Parquet, the row.
             */
            line: number;
            message: string;
            metric?: string | null;
        };
        /**
         * @description What a token or session may do.
         * @enum {string}
         */
        RoleName: "agent" | "viewer" | "admin";
        /**
         * @description The forms of exports and imports.
         * @enum {string}
         */
        RowFormatParam: "csv" | "ndjson" | "lp" | "parquet";
        /** @description A page of series, sorted by device, metric, labels. */
        SeriesBody: {
            /** @description Give it as `after` for the next page; absent on the last. */
            next?: string | null;
            series: components["schemas"]["SeriesRow"][];
        };
        SeriesRow: {
            device: string;
            kind: components["schemas"]["KindName"];
            labels: {
                [key: string]: string;
            };
            metric: string;
            /**
             * Format: double
             * @description When the hub last received a reading of it, ms since 1970 UTC.
             */
            seen?: number | null;
            stats?: components["schemas"]["SeriesStats"] | null;
            /**
             * Format: double
             * @description The newest reading's time, ms since 1970 UTC; null when all were deleted.
             */
            time?: number | null;
            /** @description `number`, `bool` or `text`; fixed by the first reading. */
            type: components["schemas"]["TypeName"];
            unit?: string | null;
        };
        /** @description How much there is of a series. Null is what is not known without reading it all. */
        SeriesStats: {
            /**
             * Format: int64
             * @description In the store's files; of what it shares with others its share by readings, without rollups and without time columns that are
             *     shared. Null with InfluxDB.
             */
            bytes?: number | null;
            /**
             * Format: double
             * @description Times of the first reading and the last, ms since 1970 UTC; null without readings.
             */
            first?: number | null;
            /** @description Some of it cannot be read and is not counted. */
            incomplete?: boolean;
            /** Format: double */
            last?: number | null;
            /**
             * Format: int64
             * @description Null with InfluxDB as the store, and where more than 20,000,000 would have to be read to count those of the page.
             */
            readings?: number | null;
            /**
             * Format: int64
             * @description Of its readings, those that are in memory and in the log alone yet.
             */
            waiting: number;
        };
        SessionBody: {
            name: string;
            role: components["schemas"]["RoleName"];
        };
        SessionRow: {
            /** @description The browser, as it names itself. */
            client: string;
            /**
             * Format: int64
             * @description Milliseconds since 1970 UTC.
             */
            created: number;
            /** @description Whether it is the session of this request. */
            current: boolean;
            /** Format: int64 */
            id: number;
            role: components["schemas"]["RoleName"];
            /**
             * Format: int32
             * @description The token that was typed in; absent for a login link.
             */
            token?: number | null;
            /** Format: int64 */
            used: number;
        };
        SessionsBody: {
            sessions: components["schemas"]["SessionRow"][];
        };
        /** @description Bytes of the log that could not be read; kept, never erased. */
        SetAsideRow: {
            /** Format: int64 */
            bytes: number;
            kept_in: string;
            /** @description `unfinished`; `unclear`: a last commit that was cut off or is damaged, nobody can tell; `damage`: what was acked is lost. */
            loss: string;
            /** Format: int64 */
            offset: number;
            segment: string;
            /** @description The last commit before a crash, which was never acked. */
            unfinished: boolean;
            what: string;
        };
        /** @enum {string} */
        StateName: "online" | "silent" | "offline" | "unknown";
        StatsBody: {
            /**
             * Format: int64
             * @description Of the store's files of days.
             */
            bytes: number;
            /**
             * Format: double
             * @description Null without readings.
             */
            bytes_per_reading?: number | null;
            /** Format: int64 */
            catalog_bytes: number;
            files: components["schemas"]["FileRow"][];
            /** Format: int64 */
            log_bytes: number;
            /**
             * Format: int64
             * @description In them; what is only in memory and in the log yet is not counted.
             */
            readings: number;
            /** @description Series that have sealed readings. */
            series: number;
            /** @description The series that take most. What series share is spread over them by readings. */
            top: components["schemas"]["LargestRow"][];
            /**
             * Format: int64
             * @description Readings in memory and in the log, which are not in the store yet; null where no hub runs.
             */
            waiting?: number | null;
        };
        StatusBody: {
            commits?: components["schemas"]["CommitTimes"] | null;
            /** @description Since the start. */
            counters: {
                [key: string]: number;
            };
            /** @description Devices by state. */
            devices: {
                [key: string]: number;
            };
            disk: components["schemas"]["DiskStatus"];
            /** @description Of cursors; new after a restore or after damage. */
            epoch: string;
            /** @description Who brings devices: agents and tokens. */
            gateways: components["schemas"]["Gateway"][];
            /** @description Readings in memory. */
            head_points: number;
            hub_id: string;
            limits: {
                [key: string]: number;
            };
            long_answers: components["schemas"]["Filled"];
            /** @description Batches that came after the backup that this hub was restored from, newest first; the last 100 since the start. */
            missing: components["schemas"]["MissingRow"][];
            /**
             * Format: double
             * @description The hub's clock, ms since 1970 UTC.
             */
            now: number;
            /**
             * Format: int64
             * @description Of the newest commit.
             */
            position: number;
            queue: components["schemas"]["Filled"];
            /** @description Whether readings are taken now. */
            ready: boolean;
            /** @description Why not. */
            reasons: components["schemas"]["Reason"][];
            recovered: components["schemas"]["RecoveredStatus"];
            /** @description Readings refused since the start, by code. */
            refused: {
                [key: string]: number;
            };
            series: number;
            /** Format: double */
            started: number;
            /** @description Sealed history. */
            store: components["schemas"]["StoreStatus"];
            /** Format: int64 */
            uptime_s: number;
            version: string;
        };
        StoreStatus: {
            /** Format: int64 */
            bytes: number;
            /** @description Places that were found to be unreadable since the start; `telltale check` finds all of them. */
            damaged: string[];
            influxdb?: components["schemas"]["InfluxStatus"] | null;
            /** Format: int64 */
            points: number;
        };
        TicketBody: {
            ticket: string;
        };
        /**
         * @description How times are written.
         * @enum {string}
         */
        TimeParam: "ms" | "ns" | "rfc3339";
        TokenRow: {
            /**
             * Format: int64
             * @description Milliseconds since 1970 UTC.
             */
            created: number;
            devices?: string | null;
            /** Format: int32 */
            id: number;
            name: string;
            role: components["schemas"]["RoleName"];
            select?: string | null;
            /** @description The secret; only in the answer that made it. */
            token?: string | null;
        };
        TokensBody: {
            tokens: components["schemas"]["TokenRow"][];
        };
        /** @description Groups of series, those with most new ones first. */
        TopBody: {
            by: components["schemas"]["ByName"];
            groups: components["schemas"]["TopRow"][];
        };
        TopRow: {
            /** @description The token's name, the device, the metric, or the label's name. */
            name: string;
            /**
             * Format: int64
             * @description Of these, how many are newer than `since`.
             */
            new: number;
            /** Format: int64 */
            series: number;
            /**
             * Format: int64
             * @description By label: how many different values it has.
             */
            values?: number | null;
        };
        /**
         * @description What the values of a series are; fixed by the first reading.
         * @enum {string}
         */
        TypeName: "number" | "bool" | "text";
        /**
         * @description With which day a week begins.
         * @enum {string}
         */
        WeekdayParam: "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday";
        /**
         * @description What a row may have besides.
         * @enum {string}
         */
        WithParam: "stats";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    post_backup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BackupRequest"];
            };
        };
        responses: {
            /** @description An item a line. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["BackupLine"][];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `conflict`: another runs. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_check: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An item a line. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["CheckLine"][];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `conflict`: another runs. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_complete: {
        parameters: {
            query?: {
                /** @description Candidates of a part: 1 to 1000, default 20. */
                limit?: number;
                /**
                 * @description The selector up to the caret: `greenhouse-1/temp`, `*\/*{@si`, `*\/*{cpu="`. Empty: devices. What is behind the caret is not regarded.
                 * @example *\/*{@si
                 */
                prefix?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CompleteBody"];
                };
            };
            /** @description `bad_selector`: no selector begins so; or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_devices: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                after?: string;
                /** @description Rows of a page: 1 to 10000, default 1000. */
                limit?: number;
                /** @description Only those with this text in id, name or an attribute; case does not count. */
                search?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DevicesBody"];
                };
            };
            /** @description `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_devices_by_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The device's id; a `/` in it is sent as `%2F`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceRow"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `not_found`. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    patch_devices_by_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The device's id; a `/` in it is sent as `%2F`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeviceEdit"];
            };
        };
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeviceRow"];
                };
            };
            /** @description `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `not_found`: there is none, or none within the token's scope. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `conflict`: edited by someone else since `version`. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_export: {
        parameters: {
            query: {
                /** @description `csv` (default), `ndjson`, `lp` (line protocol) or `parquet`. */
                format?: components["schemas"]["RowFormatParam"];
                /**
                 * @description Start, inside, as for history. Default: the first reading.
                 * @example -1h
                 */
                from?: string;
                /**
                 * @description Selector. Several are a union.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select: string[];
                /** @description `true`: what cannot be read for damage is left out, and `X-Telltale-Left-Out` names it. Default: such an export is refused, or breaks off. */
                skip_damaged?: boolean;
                /**
                 * @description End, outside. Default: beyond the last reading.
                 * @example now
                 */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Streamed. A connection that breaks off means an incomplete answer. */
            200: {
                headers: {
                    /** @description How many readings it holds. */
                    "X-Telltale-Readings"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.apache.parquet": number[];
                    "application/x-ndjson": unknown[];
                    "text/csv": string;
                    "text/plain": string;
                };
            };
            /** @description `bad_selector`, `bad_time` or `bad_parameter`, also where `lp` cannot say a name. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away` or `store_failed`: something is missing now. Also `draining`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_history: {
        parameters: {
            query: {
                /**
                 * @description Any of `mean,min,max,first,last,count,sum,stddev,p50,p90,p99,increase,rate,time_in_state`, several at once; bools and texts have `first,last,count,time_in_state`. `stddev` is that of the population. `p50`, `p90` and `p99` are exact and lie on the line between two readings. `increase` is what a counter grew by since the last reading before the bucket, resets to 0 and rounds of 32 bits counted; `rate` is that a second. `time_in_state` is an object, value to seconds; in CSV its JSON text. Without `every` the range is one bucket.
                 * @example mean,max
                 */
                agg?: string;
                /** @description On which day, 1 to 28, the months of `every=1mo` begin, and years in January. Default: 1. */
                billing_day?: number;
                /**
                 * @description Buckets: of a length (`10s`, `15m`, `24h`, on multiples since 1970 UTC), or of the calendar of `tz` (`1d`, `1w`, `1mo`, `3mo`, `1y`). Needs `agg`.
                 * @example 15m
                 */
                every?: string;
                /** @description Of buckets without readings, from `from` to `to`: `none` (default) leaves them out, `null`, `zero`, `previous` (carried into three buckets or those within an hour, whichever are more), `linear` (between the buckets around). Their `count` is 0. */
                fill?: components["schemas"]["FillParam"];
                /** @description `json` (default), `csv`, `ndjson`, `msgpack` or `parquet` (one row a point; columns in ROWS.md, times as timestamps). */
                format?: components["schemas"]["FormatParam"];
                /**
                 * @description Start, inside: RFC 3339, an epoch with unit (`1795396030s`, `ms`, `us`, `ns`), `-1h`, `now`.
                 * @example -1h
                 */
                from: string;
                /** @description Makes one series of several: of their values in each bucket the `sum`, `mean`, `min` or `max`, after `fill`; a series without a value does not count. An entry of the answer is a group, with `count` of its series and the names they have in common. Needs `agg`. */
                group?: components["schemas"]["GroupParam"];
                /** @description Which series are together: those with the same `device`, `metric`, `label.NAME` or `@ATTRIBUTE`, several by comma. Default: all. Needs `group`. */
                group_by?: string;
                /** @description Thin to this many columns: of each at most its least and greatest reading, and the first and last of the range. */
                points?: number;
                /** @description Adds a column `received`: when the hub received the reading, exactly if that was more than a minute after its time, else to within a minute (and as much more as times of the series are ahead of the clock). */
                received?: boolean;
                /**
                 * @description Selector, `DEVICE_GLOB/METRIC_GLOB{label="value",@attribute="value"}`. Several are a union.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select: string[];
                /** @description `ms` (default, a fraction where the time has one), `ns` (integers) or `rfc3339`. */
                time?: components["schemas"]["TimeParam"];
                /**
                 * @description End, outside. Default: now.
                 * @example now
                 */
                to?: string;
                /** @description In which time zone days, weeks, months and years begin: `Europe/Berlin`. Default: UTC. Lengths do not depend on it. */
                tz?: string;
                /** @description With which day the weeks of `every=1w` begin. Default: Monday. */
                week_start?: components["schemas"]["WeekdayParam"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Streamed. A connection that breaks off means an incomplete answer. */
            200: {
                headers: {
                    /** @description What is missing, where that is known before the answer begins. */
                    "X-Telltale-Incomplete"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HistoryBody"];
                    "application/vnd.apache.parquet": number[];
                    "application/vnd.msgpack": components["schemas"]["HistoryBody"];
                    "application/x-ndjson": unknown[];
                    "text/csv": string;
                };
            };
            /** @description `bad_selector`, `bad_time` or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_many_points`. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow` (also where nothing was ready within 60 s), `store_away` or `store_failed`. Also `draining`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_history: {
        parameters: {
            query: {
                /** @description `true` (default) counts and deletes nothing. */
                dry_run?: boolean;
                /**
                 * @description As for GET.
                 * @example -1h
                 */
                from: string;
                /**
                 * @description Selector. Several are a union.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select: string[];
                /**
                 * @description As for GET. Default: now.
                 * @example now
                 */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Erased"];
                };
            };
            /** @description `bad_selector`, `bad_time` or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `store_away`, `store_failed` or `disk_full`: nothing was deleted, or not all of it. Also `too_slow`, `draining`, `clock_unset`, `slow_down`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_import: {
        parameters: {
            query: {
                /** @description `csv`, `ndjson`, `parquet` (up to 256 MiB) or `lp` (line protocol as an export writes it; other line protocol goes to `/api/v2/write`). */
                format: components["schemas"]["RowFormatParam"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "text/plain": string;
            };
        };
        responses: {
            /** @description All of it is durable but for what was refused. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Imported"];
                };
            };
            /** @description `bad_parameter`: the format, the gzip, the first line of CSV or the columns of Parquet. Whole lines before are stored. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: a line is longer than `[ingest] frame_bytes`, or Parquet than what is spooled of it. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`, `clock_unset`, `slow_down`: Not taken now, or nothing came for 30 s: send it all again. What was stored already is a duplicate then. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_ingest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A WebSocket: binary frames of readings in MessagePack, answers with `ack`. */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_last: {
        parameters: {
            query: {
                /**
                 * @description Selector. Several are a union.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select: string[];
                /** @description `ms` (default), `ns` or `rfc3339`: for time, seen and changed. */
                time?: components["schemas"]["TimeParam"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LastBody"];
                };
            };
            /** @description `bad_selector` or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_live: {
        parameters: {
            query?: {
                /** @description From `POST live/ticket`, instead of a token; good for one connection. */
                ticket?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description WebSocket */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_live_sse: {
        parameters: {
            query: {
                /** @description Resume: only what was committed after it, if that is still known. */
                cursor?: string;
                /**
                 * @description How far back the snapshot goes: `15m`. Default: last known values.
                 * @example 15m
                 */
                history?: string;
                /** @description Most events a second, 0.1 to 60. Default: 10. */
                max_hz?: number;
                /** @description Pixels that the history is drawn on: of each column the smallest, the largest and the last reading. Needs `history`. */
                points?: number;
                /**
                 * @description Selector. Several are a union.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select: string[];
                /** @description From `POST live/ticket`, instead of a token; good for one connection. */
                ticket?: string;
            };
            header?: {
                /** @description The `id` of the last event; goes before `cursor`. A browser sends it when it connects again. */
                "Last-Event-ID"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Does not end by itself. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description `bad_selector`, `bad_time` or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_many_points`: the history would be too large. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`: there is no room for the snapshot now. Also `store_away`, `store_failed`, `draining`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_live_ticket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TicketBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginBody"];
            };
        };
        responses: {
            /** @description A cookie is set. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: The code or token is not valid. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: The Origin is not one of the hub's. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_login_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkBody"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkAnswer"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The cookie is taken away. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_openapi_json: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_series: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                after?: string;
                /** @description Rows of a page: 1 to 10000, default 1000; with `with=stats` up to 1000, default 100. */
                limit?: number;
                /**
                 * @description Selector; several are a union. Default: all.
                 * @example [
                 *       "greenhouse-*\/temp{@site=\"hall 1\"}"
                 *     ]
                 */
                select?: string[];
                /** @description `stats`: how much there is of each series. */
                with?: components["schemas"]["WithParam"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SeriesBody"];
                };
            };
            /** @description `bad_selector` or `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_series_top: {
        parameters: {
            query?: {
                /** @description Default: `token`. */
                by?: components["schemas"]["ByName"];
                /** @description Rows: 1 to 10000, default 1000. */
                limit?: number;
                /**
                 * @description Series made within this time are new. Default `1h`.
                 * @example 1h
                 */
                since?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TopBody"];
                };
            };
            /** @description `bad_parameter`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionsBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_sessions_by_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `not_found`: There is no such session. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_stats: {
        parameters: {
            query?: {
                /** @description How many series: up to 10000, default 20. */
                top?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatsBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_status_refusals: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalsBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokensBody"];
                };
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenRow"];
                };
            };
            /** @description `bad_parameter`, or `bad_selector` for `devices` and `select`. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_large`: the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    delete_tokens_by_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The token. */
                id: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `bad_parameter`: one is unknown, missing, given twice or not as expected; or the body is. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `unauthorized`: no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `forbidden`: the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `not_found`: There is no such token. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `disk_full`: the disk has no room. */
            507: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    post_api_v2_write: {
        parameters: {
            query?: {
                /**
                 * @description What the timestamps count: ns (default), us, ms, s.
                 * @example ms
                 */
                precision?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "text/plain": string;
            };
        };
        responses: {
            /** @description Every reading is durable. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Lines were not well-formed; the others are stored. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description Nothing of the body came for 30 s. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description A line is longer than `[ingest] frame_bytes`. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description Readings were refused; the others are stored. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description The hub asks for a pause: send it all again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
            /** @description Not taken now: send it all again. What was stored already is a duplicate then. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusal"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthBody"];
                };
            };
            /** @description Readings are not taken now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthBody"];
                };
            };
        };
    };
    get_healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The hub answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    get_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Any token; from this machine, past no proxy, none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description `internal`: the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description `too_slow`, `store_away`, `store_failed`, `draining`: not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
        };
    };
    get_ping: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The hub answers. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_query: {
        parameters: {
            query?: {
                /**
                 * @description One statement of InfluxQL.
                 * @example SHOW DATABASES
                 */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description As InfluxDB 1 answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description Another statement, or none. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
        };
    };
    post_query: {
        parameters: {
            query?: {
                /**
                 * @description One statement of InfluxQL.
                 * @example CREATE DATABASE "telegraf"
                 */
                q?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": string;
            };
        };
        responses: {
            /** @description As InfluxDB 1 answers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description Another statement, or none. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the body is larger than what is taken. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description not now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
        };
    };
    get_readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyBody"];
                };
            };
            /** @description Readings are not taken now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyBody"];
                };
            };
        };
    };
    post_write: {
        parameters: {
            query?: {
                /**
                 * @description What the timestamps count: n (default), u, ms, s, m, h.
                 * @example ms
                 */
                precision?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "text/plain": string;
            };
        };
        responses: {
            /** @description Every reading is durable. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Lines were not well-formed, or readings were refused; the others are stored. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description no token or session, or one that has ended. */
            401: {
                headers: {
                    /** @description How to ask. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the role or the Origin does not allow it. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description Nothing of the body came for 30 s. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description A line is longer than `[ingest] frame_bytes`. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description The hub asks for a pause: send it all again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description the hub failed; its log says why. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
            /** @description Not taken now: send it all again. What was stored already is a duplicate then. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfluxRefusalV1"];
                };
            };
        };
    };
}
