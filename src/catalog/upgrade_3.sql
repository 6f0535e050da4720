-- From format 2 to format 3 of the catalog: which boots of an agent sent last, so that the others may go.
-- Never edited once a release has it.

-- The position of the commit that brought the last batch. 0: none since the upgrade.
ALTER TABLE agents ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
