import type { Connection } from './connection.ts';

/** What became of one unit. */
export type Outcome = { readonly value: unknown } | { readonly thrown: unknown };

/**
 * Runs units in one transaction, each whole or not at all, and syncs once. A unit that throws undoes itself alone. When
 * the transaction as a whole fails, each unit is tried in one of its own: one that cannot be written takes no other with it.
 */
export function commitTogether(connection: Connection, units: readonly (() => unknown)[]): readonly Outcome[] {
  if (units.length > 1) {
    const outcomes = together(connection, units);
    if (outcomes !== undefined) return outcomes;
  }
  return units.map((unit) => alone(connection, unit));
}

/** Undefined when the transaction failed as a whole. */
function together(connection: Connection, units: readonly (() => unknown)[]): readonly Outcome[] | undefined {
  try {
    connection.exec('BEGIN IMMEDIATE');
    const outcomes = units.map((unit) => inSavepoint(connection, unit));
    if (!connection.isTransaction) return undefined;
    connection.exec('COMMIT');
    return outcomes;
  } catch {
    // Each unit says it for itself when it is tried alone.
    rollback(connection);
    return undefined;
  }
}

function inSavepoint(connection: Connection, unit: () => unknown): Outcome {
  // After some errors (disk full, no memory) SQLite has rolled everything back: a further unit would commit by itself.
  if (!connection.isTransaction) return { thrown: undefined };
  connection.exec('SAVEPOINT unit');
  try {
    const value = unit();
    connection.exec('RELEASE unit');
    return { value };
  } catch (thrown) {
    if (connection.isTransaction) connection.exec('ROLLBACK TO unit; RELEASE unit');
    return { thrown };
  }
}

function alone(connection: Connection, unit: () => unknown): Outcome {
  try {
    connection.exec('BEGIN IMMEDIATE');
    const value = unit();
    connection.exec('COMMIT');
    return { value };
  } catch (thrown) {
    rollback(connection);
    return { thrown };
  }
}

function rollback(connection: Connection): void {
  if (connection.isTransaction) connection.exec('ROLLBACK');
}
