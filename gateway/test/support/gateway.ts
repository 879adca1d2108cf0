import { createTestDatabase } from '../../../test/support/database.ts';
import { serveTenant, type TestGateway, type TestGatewayOptions } from './serve-tenant.ts';

export type { TestGateway, TestGatewayOptions } from './serve-tenant.ts';

/** `serveTenant` with a control database of its own. */
export async function startGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const control = await createTestDatabase();
  const gateway = await serveTenant(control.url, options);
  return {
    ...gateway,
    async close() {
      await gateway.close();
      await control.drop();
    },
  };
}
