DROP TABLE recovery_addresses;
DROP TABLE verifiable_addresses;
DROP TABLE credential_identifiers;
DROP TABLE credentials;
DROP TABLE identities;
