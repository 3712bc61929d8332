DROP TABLE guesses;
DROP TABLE parked;
DROP TABLE code_tries;
DROP TABLE codes;
DROP TABLE errors;
DROP TABLE flows;
DROP TABLE sessions;
