-- UP
INSERT INTO projects (id, name, is_public) VALUES
  (1, 'Launch the website', true),
  (2, 'Office move', true),
  (3, 'Payroll', false);

-- Two users: a token's `sub` is one of these.
INSERT INTO todos (id, project_id, user_id, title, is_done, priority, due_on, details) VALUES
  (1, 1, 'a0000000-0000-4000-8000-000000000001', 'Choose a domain name', true, 3, '2026-10-01', '{"estimate": {"hours": 1}}'),
  (2, 1, 'a0000000-0000-4000-8000-000000000001', 'Write the landing page', false, 5, '2026-12-01', '{"estimate": {"hours": 8}}'),
  (3, 1, 'a0000000-0000-4000-8000-000000000002', 'Set up monitoring', false, 2, NULL, '{}'),
  (4, 2, 'a0000000-0000-4000-8000-000000000002', 'Order boxes', true, 1, '2026-09-15', '{}'),
  (5, 2, 'a0000000-0000-4000-8000-000000000001', 'Label the server rack', false, 4, '2026-11-30', '{"room": "B-12"}'),
  (6, 3, 'a0000000-0000-4000-8000-000000000001', 'Check the November figures', false, 5, '2026-11-28', '{}'),
  (7, 3, 'a0000000-0000-4000-8000-000000000002', 'Ask for the missing receipts', false, 1, NULL, '{}');

INSERT INTO tags (id, name) VALUES (1, 'urgent'), (2, 'writing'), (3, 'hardware');

INSERT INTO todo_tags (todo_id, tag_id) VALUES (2, 1), (2, 2), (3, 3), (5, 3), (6, 1);

SELECT setval(pg_get_serial_sequence('projects', 'id'), (SELECT max(id) FROM projects));
SELECT setval(pg_get_serial_sequence('todos', 'id'), (SELECT max(id) FROM todos));
SELECT setval(pg_get_serial_sequence('tags', 'id'), (SELECT max(id) FROM tags));

-- DOWN
DELETE FROM projects WHERE id <= 3;
DELETE FROM tags WHERE id <= 3;
