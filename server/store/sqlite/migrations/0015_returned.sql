-- The questions that supervisors asked, for the desk's list of what is with its
-- officers.
CREATE INDEX approvals_returned ON approvals (unit) WHERE decision = 'returned';
