-- From format 3 to format 4 of the catalog: a checksum of each row where a flipped bit would be taken for another name, value or right.
-- Never edited once a release has it.

-- crc32c of the columns before it, as `sums.rs` writes it. NULL: not known.
ALTER TABLE series ADD COLUMN sum INTEGER;
ALTER TABLE last ADD COLUMN sum INTEGER;
ALTER TABLE sealed ADD COLUMN sum INTEGER;
ALTER TABLE tokens ADD COLUMN sum INTEGER;
