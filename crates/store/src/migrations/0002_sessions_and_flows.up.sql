-- Tokens and codes are kept as keyed hashes only; what is sealed is encrypted before it comes here.
CREATE TABLE sessions (
    id {uuid} NOT NULL PRIMARY KEY,
    identity_id {uuid} NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    token_hash {bytes} NOT NULL,
    active {int} NOT NULL,
    aal TEXT NOT NULL,
    methods TEXT NOT NULL,
    authenticated_at {int} NOT NULL,
    issued_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    devices TEXT NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX sessions_token_hash ON sessions (token_hash);
CREATE INDEX sessions_owner ON sessions (identity_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE flows (
    id {uuid} NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    flow_type TEXT NOT NULL,
    identity_id {uuid} REFERENCES identities (id) ON DELETE CASCADE,
    expires_at {int} NOT NULL,
    version {int} NOT NULL,
    sealed {bytes} NOT NULL
) {strict};
CREATE INDEX flows_owner ON flows (identity_id) WHERE identity_id IS NOT NULL;
CREATE INDEX flows_expires_at ON flows (expires_at);

CREATE TABLE errors (
    id {uuid} NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
) {strict};
CREATE INDEX errors_created_at ON errors (created_at);

CREATE TABLE codes (
    id {uuid} NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    flow_id {uuid} NOT NULL,
    identity_id {uuid} REFERENCES identities (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    via TEXT NOT NULL,
    address_id {uuid},
    code_hash {bytes} NOT NULL,
    data {bytes},
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL,
    used_at {int}
) {strict};
CREATE INDEX codes_flow ON codes (flow_id);
CREATE INDEX codes_hash ON codes (code_hash);
CREATE INDEX codes_owner ON codes (identity_id) WHERE identity_id IS NOT NULL;
CREATE INDEX codes_expires_at ON codes (expires_at);

-- How often somebody guessed at the codes of a flow.
CREATE TABLE code_tries (
    flow_id {uuid} NOT NULL,
    purpose TEXT NOT NULL,
    tries {int} NOT NULL,
    PRIMARY KEY (flow_id, purpose)
) {clustered};

CREATE TABLE parked (
    flow_id {uuid} NOT NULL PRIMARY KEY,
    identity_id {uuid} NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    holder_hash {bytes} NOT NULL,
    native {int} NOT NULL,
    sealed {bytes} NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL
) {strict};
CREATE INDEX parked_owner ON parked (identity_id);
CREATE INDEX parked_holder ON parked (holder_hash);
CREATE INDEX parked_expires_at ON parked (expires_at);

CREATE TABLE guesses (
    subject {exact} NOT NULL PRIMARY KEY,
    tries {int} NOT NULL,
    started_at {int} NOT NULL,
    ends_at {int} NOT NULL
) {clustered};
CREATE INDEX guesses_ends_at ON guesses (ends_at);
