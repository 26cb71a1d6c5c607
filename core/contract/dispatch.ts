/**
 * The one door into the control plane: validates input and output against the contract and never throws. Transports
 * (IPC, HTTP, the CLI's socket, in-process) carry what it returns and add nothing of their own.
 */
import type { z } from 'zod';
import type { Logger } from '../shared/logger.ts';
import { type CallResponse, contract, type MethodName, type MethodOutput, type MethodParsed } from './contract.ts';
import { errorCatalogue, type Issue, MeshError } from './errors.ts';

/** One function per method. Input arrives validated and with its defaults. */
export type Handlers = {
  readonly [M in MethodName]: (input: MethodParsed<M>) => MethodOutput<M> | Promise<MethodOutput<M>>;
};

export type Dispatch = (method: string, input: unknown) => Promise<CallResponse>;

const isMethod = (method: string): method is MethodName => Object.hasOwn(contract, method);

function toIssues(error: z.ZodError): Issue[] {
  return error.issues.map((issue) => ({
    path: issue.path
      .map((part) => (typeof part === 'number' ? `[${part}]` : String(part)))
      .join('.')
      .replaceAll('.[', '['),
    message: issue.message,
  }));
}

/** The form in which an error crosses the wire: code, message, hint, issues; a bug says nothing of its inside. */
export function toErrorResponse(error: unknown): CallResponse {
  const known = error instanceof MeshError ? error : new MeshError('INTERNAL', 'Something failed inside Meshdesk.');
  return {
    ok: false,
    error: { code: known.code, message: known.message, hint: errorCatalogue[known.code], issues: [...known.issues] },
  };
}

function validateInput(method: MethodName, input: unknown): unknown {
  const parsed = contract[method].input.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = toIssues(parsed.error);
  const first = issues[0];
  const where = first === undefined || first.path === '' ? '' : `${first.path}: `;
  throw new MeshError('BAD_REQUEST', `${method}: ${where}${first?.message ?? 'the input does not fit'}`, { issues });
}

/** Builds the dispatcher. It answers `BAD_REQUEST` to an unknown method or input, and `INTERNAL` to a bug, which it logs. */
export function createDispatcher(handlers: Handlers, options: { readonly log: Logger }): Dispatch {
  const run = async (method: MethodName, input: unknown): Promise<CallResponse> => {
    const handler = handlers[method] as (input: unknown) => unknown;
    const output = await handler(validateInput(method, input));
    const checked = contract[method].output.safeParse(output);
    if (checked.success) return { ok: true, output: checked.data };
    throw new Error(
      `${method}: the output does not fit the contract: ${JSON.stringify(toIssues(checked.error).slice(0, 5))}`,
    );
  };
  return async (method, input) => {
    try {
      if (!isMethod(method)) throw new MeshError('BAD_REQUEST', `There is no method '${method}'.`);
      return await run(method, input);
    } catch (error) {
      if (!(error instanceof MeshError) || error.code === 'INTERNAL') options.log.error(`${method} failed`, error);
      return toErrorResponse(error);
    }
  };
}
