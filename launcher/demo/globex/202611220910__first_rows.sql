-- UP
INSERT INTO authors (id, name, born, died) VALUES
  (1, 'Mary Shelley', 1797, 1851),
  (2, 'Jules Verne', 1828, 1905),
  (3, 'Charles Darwin', 1809, 1882),
  (4, 'Emily Dickinson', 1830, 1886);

INSERT INTO books (id, author_id, title, genre, published, copies, price, keywords) VALUES
  (1, 1, 'Frankenstein', 'novel', 1818, 3, 9.90, '{monster,science}'),
  (2, 1, 'The Last Man', 'novel', 1826, 1, 12.50, '{plague,future}'),
  (3, 2, 'Around the World in Eighty Days', 'travel', 1873, 2, 8.00, '{wager,journey}'),
  (4, 2, 'Twenty Thousand Leagues Under the Sea', 'novel', 1870, 0, 11.25, '{submarine,journey}'),
  (5, 3, 'On the Origin of Species', 'science', 1859, 1, 19.95, '{evolution,science}'),
  (6, 3, 'The Voyage of the Beagle', 'travel', 1839, 1, NULL, '{journey,science}'),
  (7, 4, 'Poems', 'poetry', 1890, 4, 7.40, '{}');

INSERT INTO loans (book_id, user_id, lent_at) VALUES
  (4, 'b0000000-0000-4000-8000-000000000001', '2026-11-02 10:00+00');

SELECT setval(pg_get_serial_sequence('authors', 'id'), (SELECT max(id) FROM authors));
SELECT setval(pg_get_serial_sequence('books', 'id'), (SELECT max(id) FROM books));

-- DOWN
DELETE FROM loans;
DELETE FROM books WHERE id <= 7;
DELETE FROM authors WHERE id <= 4;
