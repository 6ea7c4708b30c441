"""The schema of gateways_registrations.sqlite, and the bookkeeping of its migrations.

From nym-client-core-gateways-storage 1.21.6 (fs_gateways_migrations). A Rust client refuses a
database whose list of migrations differs from its own, so a new database carries the same rows.
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
CREATE TABLE active_gateway
(
    id                     INTEGER PRIMARY KEY CHECK (id = 0),
    active_gateway_id_bs58 TEXT REFERENCES registered_gateway (gateway_id_bs58)
);
CREATE TABLE registered_gateway
(
    gateway_id_bs58        TEXT                        NOT NULL UNIQUE PRIMARY KEY,
    registration_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    gateway_type           TEXT CHECK ( gateway_type IN ('remote', 'custom') )
                                                       NOT NULL DEFAULT 'remote'
);
CREATE TABLE custom_gateway_details
(
    gateway_id_bs58 TEXT NOT NULL UNIQUE PRIMARY KEY
                    REFERENCES registered_gateway (gateway_id_bs58),
    data            BLOB
);
CREATE TABLE remote_gateway_details
(
    gateway_id_bs58            TEXT NOT NULL UNIQUE PRIMARY KEY
                               REFERENCES registered_gateway (gateway_id_bs58),
    derived_aes256_gcm_siv_key BLOB NOT NULL,
    gateway_listener           TEXT NOT NULL,
    fallback_listener          TEXT,
    expiration_timestamp       DATETIME NOT NULL
);
INSERT INTO active_gateway(id, active_gateway_id_bs58) VALUES (0, NULL);
"""

MIGRATIONS: tuple[tuple[int, str, str], ...] = (
    (
        20240304120000,
        "create initial tables",
        "c9755a49de5dc59fc28432e10676ba9f70bcfe6cc9c38d00"
        "36167f3dcd1ada468cd3acfd364ae5bb31e1267c51eb0adc",
    ),
    (
        20240610120000,
        "nullable gateway owner",
        "7c722b7c0ff0624a49b86f8105dde78c022aed8a9bbe6709"
        "a913e778aadd4f45caeceb45baac25a0a32c3abc2e334718",
    ),
    (
        20240828120000,
        "remove wg address",
        "288ee2fc18343b50df1d8b7c4450f48f03e319fb3a5a3add"
        "cfc5699d621bff3dee4b2aa4d162eb79dfb4e7ce75b2fc83",
    ),
    (
        20240916120000,
        "add aes256 gcm siv key",
        "6157c19e61edf534ba386c6261769724bc6d4c9eea7c738a"
        "29fb2964437764050005e36e3682fece213e870b8b8c5dc4",
    ),
    (
        20251126120000,
        "remove legacy add fallback",
        "d35a3826a363b98b9c7186484952a506668e6a169f2b987f"
        "7ca30e62a0e88ded7356535bc92dc15c43a8ab9292cfc6ea",
    ),
)
"""Version, description and checksum (SHA-384 of the migration's file, hex)."""

REMOTE_COLUMNS = (
    "gateway_id_bs58",
    "derived_aes256_gcm_siv_key",
    "gateway_listener",
    "fallback_listener",
    "expiration_timestamp",
)
"""The columns of ``remote_gateway_details`` since November 2025."""
