-- Records that left and are kept for what is pending of them: few or none, and
-- looked for after each acknowledgement.
CREATE INDEX records_leaving ON records (id) WHERE leaving = 1;
