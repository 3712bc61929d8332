-- Calls of web hooks that are owed, written with their reason; those that were made are gone. `due_at` is as in
-- `messages`: NULL if a call was given up.
CREATE TABLE hook_calls (
    id {uuid} NOT NULL PRIMARY KEY,
    place {exact} NOT NULL,
    name TEXT NOT NULL,
    identity_id {uuid},
    sealed_data {bytes} NOT NULL,
    status {exact} NOT NULL,
    send_count {int} NOT NULL,
    error TEXT,
    due_at {int},
    worker {uuid},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
) {strict};
CREATE INDEX hook_calls_due_at ON hook_calls (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX hook_calls_created_at ON hook_calls (created_at);
