import type { EventName, EventPayload, MethodInput, MethodName, MethodOutput, Transport } from './contract.ts';
import { type ErrorCode, errorCatalogue, MeshError } from './errors.ts';

/** Typed calls and events over any transport. A failed call rejects with the `MeshError` that the control plane sent. */
export interface ContractClient {
  call<M extends MethodName>(method: M, input: MethodInput<M>): Promise<MethodOutput<M>>;
  on<E extends EventName>(event: E, handler: (payload: EventPayload<E>) => void): () => void;
  onConnection(handler: (connected: boolean) => void): () => void;
  close(): void;
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);

export function createContractClient(transport: Transport): ContractClient {
  const handlers = new Map<string, Set<(payload: never) => void>>();
  const connectionHandlers = new Set<(connected: boolean) => void>();
  let connected = false;
  const stop = transport.listen(
    ({ name, payload }) => {
      for (const handler of handlers.get(name) ?? []) handler(payload as never);
    },
    (state) => {
      connected = state;
      for (const handler of connectionHandlers) handler(state);
    },
  );
  return {
    async call(method, input) {
      const response = await transport.call(method, input);
      if (response.ok) return response.output as never;
      const { code, message, issues } = response.error;
      throw new MeshError(isErrorCode(code) ? code : 'INTERNAL', message, { issues: issues as never });
    },
    on(event, handler) {
      const set = handlers.get(event) ?? new Set();
      handlers.set(event, set);
      set.add(handler as never);
      return () => set.delete(handler as never);
    },
    onConnection(handler) {
      connectionHandlers.add(handler);
      handler(connected);
      return () => connectionHandlers.delete(handler);
    },
    close: stop,
  };
}
