-- Addresses and factors stand on the identity's row as JSON, so that one read tells all; the tables of addresses and
-- identifiers below make them unique and findable.
CREATE TABLE identities (
    id {uuid} NOT NULL PRIMARY KEY,
    schema_id TEXT NOT NULL,
    traits TEXT NOT NULL,
    state TEXT NOT NULL,
    state_changed_at {int} NOT NULL,
    metadata_public TEXT,
    metadata_admin TEXT,
    external_id {exact},
    organization_id {uuid},
    verifiable_addresses TEXT NOT NULL,
    recovery_addresses TEXT NOT NULL,
    factors TEXT NOT NULL,
    credentials_version {int} NOT NULL,
    version {int} NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX identities_external_id ON identities (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX identities_organization_id ON identities (organization_id, id) WHERE organization_id IS NOT NULL;

CREATE TABLE credentials (
    identity_id {uuid} NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    id {uuid} NOT NULL,
    identifiers TEXT NOT NULL,
    config TEXT NOT NULL,
    version {int} NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    PRIMARY KEY (identity_id, kind)
) {clustered};

-- The tables of names have no index by owner and refer to no other table: each would cost as much as the row itself, and a
-- person's names stand on the rows above, by which they are found when they are to go.

-- The identifier comes first: somebody has the same one in several types, whose rows then lie on one page.
CREATE TABLE credential_identifiers (
    kind TEXT NOT NULL,
    identifier {exact} NOT NULL,
    identity_id {uuid} NOT NULL,
    PRIMARY KEY (identifier, kind)
) {clustered};

CREATE TABLE verifiable_addresses (
    via TEXT NOT NULL,
    value {exact} NOT NULL,
    id {uuid} NOT NULL,
    identity_id {uuid} NOT NULL,
    PRIMARY KEY (via, value)
) {clustered};

CREATE TABLE recovery_addresses (
    via TEXT NOT NULL,
    value {exact} NOT NULL,
    id {uuid} NOT NULL,
    identity_id {uuid} NOT NULL,
    PRIMARY KEY (via, value)
) {clustered};
