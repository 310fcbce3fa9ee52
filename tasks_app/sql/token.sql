-- A token that is neither revoked nor expired, with its active owner and the owner's limits.
SELECT token.id, label, read_only, owner.id, username, is_staff, is_active,
    limits.id, pending, per_minute, stored_mb, shots, qubits, max_priority
FROM tasks_app_apitoken AS token JOIN auth_user AS owner ON owner.id = token.owner_id
LEFT JOIN tasks_app_ownerlimits AS limits ON limits.owner_id = owner.id
WHERE sha256 = %(sha256)s AND revoked_at IS NULL AND is_active
    AND (expires_at IS NULL OR expires_at > statement_timestamp())
