/** What routing may look at. The data plane answers from the bytes it has parsed; nothing is copied until it is asked for. */
export interface RequestView {
  readonly method: string;
  /** Path without the query, starting with `/`. */
  readonly path: string;
  /** Query without `?`; '' when there is none. */
  readonly query: string;
  /** There is a `?` with nothing behind it; rewrites and redirects keep it. Absent: no. */
  readonly emptyQuery?: boolean;
  /** Host as it was sent, lower-case, without port. */
  readonly host: string;
  /** Port that was asked for. */
  readonly port: number;
  readonly scheme: 'http' | 'https';
  /** Value of a header by lower-case name; several are joined with `, `; `undefined` when absent. */
  header(name: string): string | undefined;
  /** Whether a value of a header passes, each line on its own. Absent: there is one line at most, that of `header`. */
  someHeader?(name: string, test: (value: string) => boolean): boolean;
}
