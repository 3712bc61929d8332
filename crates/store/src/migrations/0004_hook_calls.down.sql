DROP TABLE hook_calls;
