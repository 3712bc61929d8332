-- `due_at` is when a message is to be taken up: from then on if it waits, after the lease if somebody has it, never
-- (NULL) if it is done with. So the index holds only what is left to do.
CREATE TABLE messages (
    id {uuid} NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    recipient {exact} NOT NULL,
    template TEXT NOT NULL,
    sealed_data {bytes} NOT NULL,
    subject TEXT,
    status TEXT NOT NULL,
    send_count {int} NOT NULL,
    due_at {int},
    worker {uuid},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL
) {strict};
CREATE INDEX messages_due_at ON messages (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_created_at ON messages (created_at);

-- One row for each attempt that came to an end.
CREATE TABLE message_dispatches (
    message_id {uuid} NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    attempt {int} NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    created_at {int} NOT NULL,
    PRIMARY KEY (message_id, attempt)
) {clustered};
