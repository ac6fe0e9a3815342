ALTER TABLE products ADD COLUMN featured boolean NOT NULL DEFAULT false;
UPDATE products SET featured = true WHERE id IN (11, 36, 62, 86, 143, 182);
